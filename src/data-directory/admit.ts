import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DerivedKeys, deriveKeys } from "../domain/keyed-hash.ts";
import type { Lock } from "../store/sqlite/lock.ts";
import { type FoundDatabase, SqliteStore } from "../store/sqlite/store.ts";
import { DataDirError } from "./error.ts";
import { corporaFolder, type Place, temporaryFolder, unfinishedRestore } from "./layout.ts";
import { lockService } from "./locks.ts";
import { readSecret, secretCheck } from "./secret.ts";

/**
 * Returns a data directory that is not there or empty; `lost+found` and what is left of a killed restore do not count.
 * Throws `DataDirError` `refused` for another one.
 */
export function checkedUnused(dataDir: string, command: "init" | "restore"): string {
  const found = statSync(dataDir, { throwIfNoEntry: false });
  if (found?.isDirectory() === false) throw new DataDirError("refused", `${dataDir} exists and is no directory`);
  const names = found === undefined ? [] : readdirSync(dataDir);
  const ignored = ["lost+found", ...(command === "restore" ? [unfinishedRestore] : [])];
  if (names.every((name) => ignored.includes(name) || isUnpackedLibrary(dataDir, name))) return dataDir;
  if (names.includes(unfinishedRestore) && SqliteStore.inspect(dataDir).state === "absent") {
    throw new DataDirError("refused", `${dataDir} is half restored; empty it and run xpose restore again`);
  }
  const want = `xpose ${command} wants an empty directory or a new one`;
  throw new DataDirError("refused", `${dataDir} is not empty; ${want}`);
}

/**
 * The keys of a data directory that may be opened for `role`; the service has its lock then, which `locks` names. Throws
 * `DataDirError`, with what is wrong and what to do.
 */
export function admit(
  config: Place,
  role: "service" | "command" | "backup",
  { state, secretCheck: expected }: FoundDatabase,
  locks: Lock[] = [],
): DerivedKeys {
  const { dataDir } = config;
  if (state === "absent" && existsSync(join(dataDir, unfinishedRestore))) {
    throw new DataDirError("refused", `${dataDir} is half restored; empty it and run xpose restore again`);
  }
  if (state === "absent" && !isBegun(dataDir)) {
    throw new DataDirError("uninitialised", `${dataDir} is not initialised; run xpose init --data-dir ${dataDir}`);
  }
  if (state === "absent" || state === "unfinished") {
    throw new DataDirError("refused", `${dataDir} is half initialised; empty it and run xpose init again`);
  }
  if (state === "newer") {
    throw new DataDirError("refused", `${dataDir} was written by a newer version of xpose; run that version`);
  }
  if (state === "older" && role === "command") {
    throw new DataDirError(
      "refused",
      `${dataDir} was written by an older version; start xpose serve once to upgrade it (xpose backup --older copies it as it is)`,
    );
  }
  const keys = deriveKeys(readSecret(config));
  if (secretCheck(keys) !== expected) {
    throw new DataDirError("refused", `the secret in ${config.secretFile} does not belong to ${dataDir}`);
  }
  if (role === "service") locks.push(...lockService(dataDir));
  // A restore that was killed at its very end, when all was in its place.
  if (role === "service") rmSync(join(dataDir, unfinishedRestore), { recursive: true, force: true });
  return keys;
}

/** True for the temporary folder in which the runtime has unpacked the database library before the set-up. */
function isUnpackedLibrary(dataDir: string, name: string): boolean {
  return name === temporaryFolder && readdirSync(join(dataDir, name)).every((file) => file.startsWith(".bun-"));
}

/** True when a set-up has left something of xpose behind. */
function isBegun(dataDir: string): boolean {
  return ["secret.key", corporaFolder].some((name) => existsSync(join(dataDir, name)));
}
