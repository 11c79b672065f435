import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { leftWorkplaces, sweepWorkplaces } from "../backup/left-workplaces.ts";
import type { Config } from "../config/config.ts";
import { findOrphans } from "../corpus/remove-orphans.ts";
import { leftChildHomes, sweepChildHomes } from "../egress/child-home.ts";
import type { OpenStore } from "./data-directory.ts";
import { temporaryDirOf, unfinishedRestore } from "./layout.ts";
import { takeExclusiveLock } from "./locks.ts";

/** A temporary file is renamed within milliseconds. An older temporary file was left by a killed process. */
const renameMs = 60_000;

/**
 * Paths left behind by killed commands and services: copies of backups, an unfinished restore, home directories of
 * programs, files before their rename, parts of imports. Never paths that a live process uses.
 */
export async function findLeftovers(config: Config, open: OpenStore): Promise<string[]> {
  const temporaryDir = temporaryDirOf(config);
  const restore = join(config.dataDir, unfinishedRestore);
  return [
    ...leftWorkplaces(temporaryDir, null, takeExclusiveLock),
    ...leftChildHomes(temporaryDir),
    ...(existsSync(restore) ? [restore] : []),
    ...unrenamed(config, open),
    ...(await findOrphans(open)),
  ];
}

/** Removes leftovers and returns their paths. Leaves parts of imports to `sweepCorpora`, and the restore to `admit`. */
export function sweepLeftovers(config: Config, open: Pick<OpenStore, "headFile">): string[] {
  const temporaryDir = temporaryDirOf(config);
  const files = unrenamed(config, open);
  for (const file of files) rmSync(file, { force: true });
  return [...sweepWorkplaces(temporaryDir, null, takeExclusiveLock), ...sweepChildHomes(temporaryDir), ...files];
}

/** Files such as `audit.head.<process>.tmp`. A left file may hold the secret. */
function unrenamed({ secretFile }: Config, { headFile }: Pick<OpenStore, "headFile">): string[] {
  return [...new Set([headFile, secretFile])].flatMap((target) => {
    const folder = dirname(target);
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder).filter((name) => isTemporary(name, basename(target)));
    return names.map((name) => join(folder, name)).filter(isLeft);
  });
}

function isTemporary(name: string, target: string): boolean {
  return name.startsWith(`${target}.`) && /^\d+\.tmp$/.test(name.slice(target.length + 1));
}

function isLeft(path: string): boolean {
  const id = Number(/\.(\d+)\.tmp$/.exec(path)?.[1]);
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && (!existsSync(`/proc/${id}`) || Date.now() - found.mtimeMs > renameMs);
}
