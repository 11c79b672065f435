import { createHash } from "node:crypto";
import { lstatSync, readFileSync, realpathSync, statSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { readKeptHead } from "../access/audit-head.ts";
import { syncFolder } from "../corpus/segment/segment-writer.ts";
import { takeSharedLock } from "../corpus/shared-lock.ts";
import { verifyCorpora } from "../corpus/verify.ts";
import { headText } from "../domain/audit.ts";
import type { Corpus } from "../domain/corpus.ts";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import type { DatabaseStore } from "../store/port/database.ts";
import type { Store } from "../store/port/store.ts";
import { BackupError, fileFault } from "./error.ts";
import { noteWorkplace, sweepWorkplaces, workplaceEnding } from "./left-workplaces.ts";
import { type Manifest, type ManifestMember, manifestMac, manifestText, memberNames } from "./manifest.ts";
import { archiveEnd, blockSize, paddingOf, spaceOf, tarHeader } from "./tar.ts";
import { openWorkplace, type TakeLock } from "./workplace.ts";

export type BackupTools = {
  readonly store: Pick<DatabaseStore, "backup">;
  readonly keys: Pick<DerivedKeys, "audit" | "backup" | "corpus">;
  readonly dataDir: string;
  readonly corporaDir: string;
  readonly headFile: string;
  /** Folder in the data directory for notes about unfinished backups. */
  readonly notesDir: string;
  readonly newId: () => string;
  /** Null when the secret is outside the data directory; then the backup does not include it. */
  readonly secretFile: string | null;
  /** Null while another process deletes segments, which takes milliseconds. */
  readonly lockCorpora: (mode: "shared") => { readonly release: () => void } | null;
  readonly takeLock: TakeLock;
  /**
   * Checks the copied database in a folder and opens it without changing it. Throws `BackupError` when it is damaged.
   */
  readonly openCopy: (folder: string) => CopiedDatabase;
  readonly version: string;
  readonly now: Date;
  readonly onProgress: (stage: BackupStage, done: number, total: number) => void;
  readonly signal: AbortSignal;
};

export type CopiedDatabase = {
  readonly store: Pick<Store, "auditHead" | "listCorpora" | "close">;
  /** The schema version. */
  readonly version: number;
};

/**
 * The slow stages: copying the database (in bytes), checking the segments (in records), writing the file (in bytes).
 */
export type BackupStage = "copying" | "checking" | "writing";

export type BackupReport = {
  readonly sizeBytes: number;
  readonly manifest: Manifest;
  readonly segmentCount: number;
  readonly recordCount: number;
  readonly hasSecret: boolean;
  /** False when no head is kept beside the secret. Then a cut made before the backup cannot be detected. */
  readonly hasHead: boolean;
  /** Whether other users can read the file, because its file system has no modes. */
  readonly isExposed: boolean;
};

/** A member and the source of its bytes. */
type Source = { readonly name: string; readonly size: number; readonly bytes: Buffer | null; readonly path: string };

/** Placeholder of the same length until the hashes are known. */
const noHash = "0".repeat(64);
const chunkSize = 1024 * 1024;
/** Name of the unfinished archive, beside the copy of the database. */
const archiveName = "backup.tar";

/**
 * Writes a backup of a data directory in use to a new file: a snapshot of the database, the segments named in it, the
 * kept head of the audit trail, and the secret. The file appears complete or not at all; unfinished work is in a folder
 * beside it. Throws `BackupError`, `AppError` for the database, and the abort reason of `signal`.
 *
 * ```
 * tar (ustar, sizes over 8 GiB in base 256): manifest.json, manifest.mac, [secret.key], [audit.head], xpose.db,
 * corpora/*.seg
 * ```
 */
export async function writeBackup(file: string, tools: BackupTools): Promise<BackupReport> {
  try {
    refuseTarget(file, tools.dataDir);
    const path = `${file}${workplaceEnding}`;
    sweepWorkplaces(tools.notesDir, dirname(file), tools.takeLock);
    const note = noteWorkplace(tools.notesDir, tools.newId(), path);
    try {
      const workplace = await openWorkplace(path, tools.takeLock);
      try {
        return await writeIn(workplace.path, file, tools);
      } finally {
        workplace.remove();
      }
    } finally {
      note.remove();
    }
  } catch (error) {
    throw fileFault(`${file} cannot be written`, error);
  }
}

function refuseTarget(file: string, dataDir: string): void {
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) {
    throw new BackupError("refused", `${file} exists; a backup never replaces a file`);
  }
  const folder = dirname(file);
  if (statSync(folder, { throwIfNoEntry: false }) === undefined)
    throw new BackupError("not_found", `there is no folder ${folder}`);
  if (`${realpathSync(folder)}${sep}`.startsWith(`${realpathSync(dataDir)}${sep}`)) {
    throw new BackupError(
      "refused",
      `${file} is inside the data directory; write the backup elsewhere, or both are lost together`,
    );
  }
}

async function writeIn(folder: string, file: string, tools: BackupTools): Promise<BackupReport> {
  const { store, corporaDir, onProgress, signal } = tools;
  // Read before the copy: a head written later may belong to a row that the copy lacks.
  const { head: keptHead } = readKeptHead(tools.headFile);
  // The lock keeps the segments of the copy, even if they are merged or removed during the backup.
  const lock = await takeSharedLock(tools.lockCorpora, signal);
  try {
    const databaseFile = join(folder, memberNames.database);
    await store.backup(databaseFile, (done, total) => {
      signal.throwIfAborted();
      onProgress("copying", done, total);
    });
    const { store: copy, version: schemaVersion } = tools.openCopy(folder);
    const [corpora, head] = await Promise.all([copy.listCorpora(), copy.auditHead()]).finally(() => copy.close());
    const { files, recordCount } = await soundSegments(corpora, tools);
    const sources = [
      ...(tools.secretFile === null ? [] : [inMemory(memberNames.secret, readFileSync(tools.secretFile))]),
      ...(keptHead === null ? [] : [inMemory(memberNames.auditHead, Buffer.from(`${headText(keptHead)}\n`))]),
      onDisk(memberNames.database, databaseFile),
      ...files.map((name) => onDisk(`${memberNames.corpora}${name}`, join(corporaDir, name))),
    ];
    const { version: xposeVersion, now: createdAt } = tools;
    const about = { xposeVersion, schemaVersion, createdAt, auditHead: headText(head) };
    const { path, sizeBytes, manifest } = await writeArchive(join(folder, archiveName), sources, about, tools);
    refuseTarget(file, tools.dataDir);
    await rename(path, file);
    await syncFolder(dirname(file));
    const isExposed = (statSync(file).mode & 0o077) !== 0;
    const [hasSecret, hasHead] = [tools.secretFile !== null, keptHead !== null];
    return { sizeBytes, manifest, segmentCount: files.length, recordCount, hasSecret, hasHead, isExposed };
  } finally {
    lock.release();
  }
}

/**
 * Verifies all segments and returns their file names, ascending. A damaged segment could not be restored, so report it
 * while the corpus can still be imported again.
 */
async function soundSegments(corpora: readonly Corpus[], { corporaDir, keys, onProgress, signal }: BackupTools) {
  const segments = new Map(corpora.flatMap(({ segments: own }) => own.map((one) => [one.file, one] as const)));
  const recordCount = [...segments.values()].reduce((sum, one) => sum + one.recordCount, 0);
  const checks = await verifyCorpora(corpora, corporaDir, keys, (done) => {
    signal.throwIfAborted();
    onProgress("checking", done, recordCount);
  });
  const damaged = checks.find(({ fault }) => fault !== null);
  if (damaged !== undefined) {
    const names = damaged.corpora.join(", ");
    throw new BackupError("failed", `a segment of ${names} is damaged: ${damaged.fault}; see xpose corpus verify`);
  }
  return { files: [...segments.keys()].sort(), recordCount };
}

function inMemory(name: string, bytes: Buffer): Source {
  return { name, size: bytes.length, bytes, path: "" };
}

function onDisk(name: string, path: string): Source {
  return { name, size: statSync(path).size, bytes: null, path };
}

/**
 * Writes the archive. The manifest is first but contains the hashes of the other members, so its space is reserved and
 * filled at the end.
 */
async function writeArchive(
  path: string,
  sources: readonly Source[],
  about: Omit<Manifest, "members">,
  { keys, onProgress, signal }: BackupTools,
): Promise<{ path: string; sizeBytes: number; manifest: Manifest }> {
  const modifiedAt = about.createdAt;
  const front = (members: readonly ManifestMember[]) => {
    const text = manifestText({ ...about, members });
    const files = [
      inMemory(memberNames.manifest, Buffer.from(text)),
      inMemory(memberNames.manifestMac, Buffer.from(manifestMac(keys, text))),
    ];
    const parts = files.flatMap(({ name, size, bytes }) => [
      tarHeader({ name, size, modifiedAt }),
      bytes ?? Buffer.alloc(0),
      Buffer.alloc(paddingOf(size)),
    ]);
    return Buffer.concat(parts);
  };
  const placeholder = front(sources.map(({ name, size }) => ({ name, size, sha256: noHash })));
  const total = sources.reduce((sum, { size }) => sum + spaceOf(size), placeholder.length + archiveEnd.length);
  const members: ManifestMember[] = [];
  const output = await open(path, "wx", 0o600);
  try {
    let position = placeholder.length;
    for (const { name, size, bytes, path: from } of sources) {
      await writeAll(output, tarHeader({ name, size, modifiedAt }), position);
      position += blockSize;
      const hash = createHash("sha256");
      for await (const chunk of bytes === null ? chunksOf(from, size) : [bytes]) {
        signal.throwIfAborted();
        hash.update(chunk);
        await writeAll(output, chunk, position);
        position += chunk.length;
        onProgress("writing", position, total);
      }
      await writeAll(output, Buffer.alloc(paddingOf(size)), position);
      position += paddingOf(size);
      members.push({ name, size, sha256: hash.digest("hex") });
    }
    await writeAll(output, archiveEnd, position);
    await writeAll(output, front(members), 0);
    await output.sync();
  } finally {
    await output.close();
  }
  return { path, sizeBytes: total, manifest: { ...about, members } };
}

/** Reads an immutable file in chunks. Throws when it is shorter than `size`. */
async function* chunksOf(path: string, size: number): AsyncGenerator<Buffer> {
  const input = await open(path, "r");
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSize, Math.max(1, size)));
    for (let at = 0; at < size; ) {
      const { bytesRead } = await input
        .read(buffer, 0, Math.min(buffer.length, size - at), at)
        .catch((error: unknown) => Promise.reject(fileFault(`${path} cannot be read`, error)));
      if (bytesRead === 0) throw new BackupError("failed", `${path} was cut short during the backup`);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await input.close();
  }
}

async function writeAll(output: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await output.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}
