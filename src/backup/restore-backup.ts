import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { type HeadState, keepHead, readKeptHead } from "../access/audit-head.ts";
import { verifyAudit } from "../access/verify-audit.ts";
import { syncFolder } from "../corpus/segment/segment-writer.ts";
import { verifyCorpora } from "../corpus/verify.ts";
import { type AuditHead, type Author, headText } from "../domain/audit.ts";
import type { Corpus } from "../domain/corpus.ts";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import { timestamp } from "../domain/time.ts";
import type { AuditStore } from "../store/port/audit.ts";
import type { Store } from "../store/port/store.ts";
import { BackupError, fileFault } from "./error.ts";
import { type Manifest, memberNames } from "./manifest.ts";
import { type Backup, openBackup } from "./read-backup.ts";
import { lockName, openWorkplace, type TakeLock } from "./workplace.ts";

export type RestoreTools = {
  readonly dataDir: string;
  readonly secretFile: string;
  readonly headFile: string;
  /** Name of the folder for unfinished work in the data directory. */
  readonly unfinished: string;
  readonly schemaVersion: number;
  /** Throws when the data directory is in use or not empty enough for a restore. */
  readonly checkUnused: () => void;
  /** The keys of the secret in the backup or in the configuration. Throws when the two differ. */
  readonly keysOf: (secret: string | null) => DerivedKeys;
  readonly takeLock: TakeLock;
  /** A head from the log of the backed-up service that the audit trail must contain; null when none is given. */
  readonly givenHead: AuditHead | null;
  /** Checks the database in a folder, opens it and migrates it. Throws `BackupError`. */
  readonly openCopy: (folder: string, keys: DerivedKeys) => RestoredStore;
  readonly by: () => Author;
  readonly onProgress: (stage: RestoreStage, done: number, total: number) => void;
  readonly signal: AbortSignal;
};

type RestoredStore = Pick<Store, "auditHead" | "auditState" | "close" | "listCorpora" | "readChain" | "settleRestored">;

/** The slow stages: reading the file (in bytes) and checking the segments (in records). */
export type RestoreStage = "reading" | "checking";

export type RestoreReport = {
  readonly manifest: Manifest;
  readonly segmentCount: number;
  readonly recordCount: number;
  readonly head: AuditHead;
  readonly hasSecret: boolean;
  /** `kept`, unless the backup has no head or a head that is not in its audit trail: it was tampered with before. */
  readonly headState: HeadState;
  /** A head beside the secret, of a trail that continued after the backup; null when there was none. */
  readonly replacedHead: AuditHead | null;
};

/**
 * Restores a data directory from a backup. Everything is checked in a separate folder before any file appears. The
 * database appears last; without it a data directory is not valid. A failure leaves nothing behind; after a kill the
 * next restore cleans up. Throws `BackupError` and the errors of the tools.
 */
export async function restoreBackup(file: string, tools: RestoreTools): Promise<RestoreReport> {
  const backup = await openBackup(file, tools.schemaVersion);
  try {
    tools.checkUnused();
    const keys = tools.keysOf(backup.secret);
    if (!backup.isMadeUnder(keys)) {
      const whose = backup.secret === null ? `the secret in ${tools.secretFile}` : "the secret that it holds";
      throw new BackupError("refused", `${file} does not belong to ${whose}, or was changed`);
    }
    return await restoreInto(tools.dataDir, backup, keys, tools);
  } catch (error) {
    throw fileFault(`${tools.dataDir} cannot be written`, error);
  } finally {
    backup.close();
  }
}

async function restoreInto(
  dataDir: string,
  backup: Backup,
  keys: DerivedKeys,
  tools: RestoreTools,
): Promise<RestoreReport> {
  const firstMade = mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  let isDone = false;
  try {
    const workplace = await openWorkplace(join(dataDir, tools.unfinished), tools.takeLock);
    try {
      // Check again: another restore may have finished before the lock was taken.
      tools.checkUnused();
      const report = await restoreIn(workplace.path, backup, keys, tools);
      isDone = true;
      return report;
    } finally {
      workplace.remove();
    }
  } finally {
    if (!isDone && firstMade !== undefined) removeEmpty(dataDir, firstMade);
  }
}

/**
 * Removes an empty folder and the empty folders above it, up to the first that was created. Stops at a folder with
 * content.
 */
function removeEmpty(folder: string, first: string): void {
  if (readdirSync(folder).length > 0) return;
  rmdirSync(folder);
  if (folder !== first) removeEmpty(dirname(folder), first);
}

async function restoreIn(
  folder: string,
  backup: Backup,
  keys: DerivedKeys,
  tools: RestoreTools,
): Promise<RestoreReport> {
  const { dataDir, headFile, signal } = tools;
  const { manifest } = backup;
  await backup.extract(folder, (done, total) => tools.onProgress("reading", done, total), signal);
  const store = tools.openCopy(folder, keys);
  try {
    const corpora = await store.listCorpora();
    const counts = await checkSegments(folder, corpora, keys, manifest, tools);
    if (tools.givenHead !== null) await requireHead(tools.givenHead, folder, store, keys, manifest);
    const replacedHead = await leftBehind(readKeptHead(headFile).head, store);
    const origin = `backup of ${timestamp(manifest.createdAt)}, head ${manifest.auditHead}`;
    const instead = replacedHead === null ? "" : `, in place of head ${headText(replacedHead)}`;
    await store.settleRestored(`${origin}${instead}`, tools.by());
    const headState = await keepHead(store, join(folder, memberNames.auditHead));
    const head = await store.auditHead();
    store.close();
    if (backup.secret !== null) await writeNew(join(folder, memberNames.secret), backup.secret);
    signal.throwIfAborted();
    chmodSync(dataDir, 0o700);
    await publish(folder, tools);
    return { manifest, ...counts, head, hasSecret: backup.secret !== null, headState, replacedHead };
  } finally {
    // Already closed, unless an error occurred. Closing twice is harmless.
    store.close();
  }
}

/** Checks the whole audit trail against a head from the log. Throws `BackupError` `failed` when the trail lacks it. */
async function requireHead(
  given: AuditHead,
  folder: string,
  store: RestoredStore,
  keys: DerivedKeys,
  { createdAt }: Manifest,
): Promise<void> {
  const { row } = await store.auditHead();
  if (given.row > row) {
    const before = `give a head that was logged before ${timestamp(createdAt)}`;
    throw new BackupError("failed", `the backup ends at event ${row}, before the head ${headText(given)}; ${before}`);
  }
  const kept = readKeptHead(join(folder, memberNames.auditHead));
  const { ok, problem, badRow } = await verifyAudit(store, keys.audit, { kept, given: [given] });
  if (ok) return;
  const where = badRow === null ? "" : ` at event ${badRow}`;
  throw new BackupError(
    "failed",
    `the audit trail of the backup is not that of the head ${headText(given)}${where}: ${problem}`,
  );
}

async function checkSegments(
  folder: string,
  corpora: readonly Corpus[],
  keys: DerivedKeys,
  { members }: Manifest,
  { onProgress, signal }: RestoreTools,
): Promise<{ segmentCount: number; recordCount: number }> {
  const segments = new Map(corpora.flatMap(({ segments: own }) => own.map((one) => [one.file, one] as const)));
  const held = members.filter(({ name }) => name.startsWith(memberNames.corpora));
  if (held.some(({ name }) => !segments.has(name.slice(memberNames.corpora.length)))) {
    throw new BackupError("failed", "the backup holds a segment that its database does not name");
  }
  const recordCount = [...segments.values()].reduce((sum, one) => sum + one.recordCount, 0);
  const checks = await verifyCorpora(corpora, join(folder, memberNames.corpora), keys, (done) => {
    signal.throwIfAborted();
    onProgress("checking", done, recordCount);
  });
  const damaged = checks.find(({ fault }) => fault !== null);
  if (damaged === undefined) return { segmentCount: segments.size, recordCount };
  throw new BackupError("failed", `a segment of ${damaged.corpora.join(", ")} is damaged: ${damaged.fault}`);
}

/** Returns the head beside a secret outside the data directory if it is not in the restored trail; otherwise null. */
async function leftBehind(kept: AuditHead | null, store: Pick<AuditStore, "readChain">): Promise<AuditHead | null> {
  if (kept === null || kept.row === 0) return null;
  const [there] = await store.readChain(kept.row - 1, 1);
  return there?.row === kept.row && there.mac === kept.mac ? null : kept;
}

/** Moves the restored files to their places, the database last. A failure before that undoes all moves. */
async function publish(folder: string, { dataDir, secretFile, headFile }: RestoreTools): Promise<void> {
  const targets = new Map<string, string>([
    [memberNames.secret, secretFile],
    [memberNames.auditHead, headFile],
  ]);
  const names = readdirSync(folder).filter((name) => !name.startsWith(lockName) && name !== memberNames.database);
  const placed: string[] = [];
  const headBefore = isInside(headFile, dataDir) || !existsSync(headFile) ? null : readFileSync(headFile, "utf8");
  let isPublished = false;
  try {
    for (const name of names) {
      const source = join(folder, name);
      const target = targets.get(name) ?? join(dataDir, name);
      if (name === memberNames.secret && existsSync(target)) continue;
      if (isInside(target, dataDir)) {
        mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
        renameSync(source, target);
      } else {
        // The target may be on another disk, where rename does not work.
        const temporary = `${target}.${process.pid}.tmp`;
        placed.push(temporary);
        await writeNew(temporary, readFileSync(source, "utf8"));
        renameSync(temporary, target);
        await syncFolder(dirname(target));
      }
      placed.push(target);
    }
    await syncFolder(dataDir);
    renameSync(join(folder, memberNames.database), join(dataDir, memberNames.database));
    isPublished = true;
    await syncFolder(dataDir);
  } finally {
    if (!isPublished) {
      for (const path of placed) rmSync(path, { recursive: true, force: true });
      if (headBefore !== null) writeFileSync(headFile, headBefore, { mode: 0o600 });
    }
  }
}

function isInside(path: string, folder: string): boolean {
  return !relative(folder, path).startsWith("..");
}

async function writeNew(path: string, text: string): Promise<void> {
  const output = await open(path, "wx", 0o600);
  try {
    await output.writeFile(text);
    await output.sync();
  } finally {
    await output.close();
  }
}
