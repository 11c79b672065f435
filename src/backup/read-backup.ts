import { createHash, timingSafeEqual } from "node:crypto";
import { mkdirSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openReadable, type Readable } from "../corpus/segment/read-at.ts";
import { syncFolder } from "../corpus/segment/segment-writer.ts";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import { BackupError, fileFault } from "./error.ts";
import {
  type Manifest,
  type ManifestMember,
  manifestMac,
  maxManifestBytes,
  memberNames,
  parseManifest,
} from "./manifest.ts";
import { archiveEnd, blockSize, paddingOf, parseTarHeader, spaceOf } from "./tar.ts";

/** A backup with a parsed manifest. Trust nothing in it before `isMadeUnder` returns true. */
export type Backup = {
  readonly manifest: Manifest;
  /** The text of the server secret; null when the backup has none. */
  readonly secret: string | null;
  /** Whether this server secret made the backup and the manifest is unchanged. */
  readonly isMadeUnder: (keys: Pick<DerivedKeys, "backup">) => boolean;
  /**
   * Writes all members except the secret below an empty folder, synced to disk. Throws `BackupError` `failed` when a
   * member was changed; the folder then holds the members written so far.
   */
  readonly extract: (folder: string, onProgress: Progress, signal: AbortSignal) => Promise<void>;
  readonly close: () => void;
};

type Progress = (done: number, total: number) => void;

const macBytes = 65;
const maxSecretBytes = 1024;
const chunkSize = 1024 * 1024;

/**
 * Opens a backup and reads the members before the data. A backup has exactly one form, byte for byte (see
 * `writeBackup`), so foreign archives with other names, links or sizes are refused. Throws `BackupError`.
 */
export async function openBackup(path: string, currentSchema: number): Promise<Backup> {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) throw new BackupError("not_found", `there is no file ${path}`);
    // Opening a pipe could block for ever.
    if (!found.isFile()) throw new BackupError("failed", `${path} is not a regular file`);
    const input = openReadable(path);
    try {
      return await readFront(input, path, currentSchema);
    } catch (error) {
      input.close();
      throw error;
    }
  } catch (error) {
    throw fileFault(`${path} cannot be read`, error);
  }
}

async function readFront(input: Readable, path: string, currentSchema: number): Promise<Backup> {
  const damaged = (what: string) => new BackupError("failed", `${path} is damaged: ${what}`);

  const read = (at: number, size: number) =>
    input.read(at, size).catch((error: unknown) => Promise.reject(fileFault(`${path} cannot be read`, error)));

  /** Reads a small member. The size of every member but the first is known from the manifest. */
  async function readSmall(name: string, at: number, size: number): Promise<Buffer> {
    await checkHeader(name, at, size);
    const bytes = await read(at + blockSize, size + paddingOf(size));
    if (bytes.length < size + paddingOf(size)) throw damaged("it is cut short");
    if (!isZero(bytes.subarray(size))) throw damaged(`bytes after ${name} were changed`);
    return bytes.subarray(0, size);
  }

  async function checkHeader(name: string, at: number, size: number): Promise<void> {
    const member = parseTarHeader(await read(at, blockSize));
    if (member?.name !== name || member.size !== size) throw damaged(`it has no ${name} where it should be`);
  }

  const first = parseTarHeader(await read(0, blockSize));
  if (first?.name !== memberNames.manifest || first.size > maxManifestBytes) {
    throw new BackupError("failed", `${path} is not a backup of xpose`);
  }
  const text = (await readSmall(memberNames.manifest, 0, first.size)).toString("utf8");
  const manifest = parseManifest(text, path, currentSchema);
  const macAt = spaceOf(first.size);
  const placed = place(manifest.members, macAt + spaceOf(macBytes));
  const end = placed.end + archiveEnd.length;
  if (input.size() < end) throw damaged(`it is cut short, ${input.size()} of ${end} bytes are there`);
  if (input.size() > end) throw damaged("something was added at its end");
  const mac = await readSmall(memberNames.manifestMac, macAt, macBytes);
  const secret = placed.members.find(({ name }) => name === memberNames.secret);
  if (secret !== undefined && secret.size > maxSecretBytes) throw damaged("its secret is too large");
  const secretBytes = secret === undefined ? null : await readSmall(secret.name, secret.at, secret.size);
  if (secret !== undefined && secretBytes !== null && sha256(secretBytes) !== secret.sha256) {
    throw damaged(`${secret.name} is not as it was written`);
  }

  async function extractOne(
    { name, size, sha256: expected, at }: Placed,
    folder: string,
    onChunk: (size: number) => void,
  ) {
    await checkHeader(name, at, size);
    const target = join(folder, name);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    const output = await open(target, "wx", 0o600);
    try {
      const hash = createHash("sha256");
      for (let done = 0; done < size; ) {
        const chunk = await read(at + blockSize + done, Math.min(chunkSize, size - done));
        if (chunk.length === 0) throw damaged("it is cut short");
        hash.update(chunk);
        await output.writeFile(chunk);
        done += chunk.length;
        onChunk(chunk.length);
      }
      if (hash.digest("hex") !== expected) throw damaged(`${name} is not as it was written`);
      await output.sync();
    } finally {
      await output.close();
    }
    const padding = await read(at + blockSize + size, paddingOf(size));
    if (!isZero(padding)) throw damaged(`bytes after ${name} were changed`);
  }

  return {
    manifest,
    secret: secretBytes?.toString("utf8") ?? null,
    isMadeUnder: (keys) => timingSafeEqual(mac, Buffer.from(manifestMac(keys, text))),
    async extract(folder, onProgress, signal) {
      const corporaDir = join(folder, memberNames.corpora);
      mkdirSync(corporaDir, { mode: 0o700 });
      let done = 0;
      for (const member of placed.members) {
        if (member.name === memberNames.secret) continue;
        await extractOne(member, folder, (size) => {
          signal.throwIfAborted();
          done += size;
          onProgress(done, end);
        });
      }
      if (!isZero(await read(placed.end, archiveEnd.length))) throw damaged("its end was changed");
      await syncFolder(corporaDir);
      await syncFolder(folder);
    },
    close: () => input.close(),
  };
}

type Placed = ManifestMember & { readonly at: number };

/** Computes the offset of each member's header; members are contiguous. */
function place(members: readonly ManifestMember[], start: number): { members: Placed[]; end: number } {
  let at = start;
  const placed = members.map((member) => {
    const one = { ...member, at };
    at += spaceOf(member.size);
    return one;
  });
  return { members: placed, end: at };
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
