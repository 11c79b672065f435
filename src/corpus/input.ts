import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { oneLine } from "../domain/finding.ts";
import { decompress } from "./decompress.ts";
import { CorpusError } from "./error.ts";
import { listFolder } from "./folder.ts";
import { type Peeked, peek } from "./peek.ts";
import { memberChunks, readZip, unpackMember } from "./zip.ts";

/** A file by its path, or bytes from standard input. */
export type ImportSource = { readonly path: string } | { readonly stdin: AsyncIterable<Uint8Array> };

/** A file that was not read, and why. */
export type LeftOut = { readonly file: string; readonly reason: string };

/** One file of text: unpacked, in UTF-8, without a byte order mark. */
export type InputEntry = {
  /** Its path within the archive or folder; null for a single file. */
  readonly name: string | null;
  /** Without its folder and the ending of a compression; null for standard input. */
  readonly innerName: string | null;
  /** The first bytes of the text, up to 64 KiB. */
  readonly head: Buffer;
  /** All of the text, `head` included, once. Throws `CorpusError` `refused` when a compressed file is damaged or cut. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Whether `head` is all of the text. */
  readonly isWhole: boolean;
};

/** What is imported at once: a file, the files of an archive or those below a folder. */
export type Input = {
  /** As it is named in the evidence: without its folder, `-` for standard input. */
  readonly fileName: string;
  /** Whether there are entries with names: an archive or a folder. */
  readonly hasEntries: boolean;
  /** Once, in order; each must be read before the next is asked for. */
  readonly entries: AsyncIterable<InputEntry>;
  /** Files of an archive or folder that were not read, with a reason each, so far. */
  readonly leftOut: () => readonly LeftOut[];
  /** Bytes of the files themselves, not of the text. */
  readonly bytesTotal: number | null;
  readonly bytesRead: () => number;
  /** SHA-256 of the bytes of the file, when all of them have been read; of a folder, of all names and files in order. */
  readonly sha256: () => string;
  readonly contentSha256: () => string;
  readonly close: () => Promise<void>;
};

const headSize = 64 << 10;
const readSize = 256 << 10;

/**
 * Opens a file, archive or folder to import. Throws `CorpusError`: `not_found`; `refused` for what is no regular file
 * and no folder, empty, binary, or packed in a way that is not read here; and what `signal` was aborted with, also
 * while it waits for standard input. It never waits on a FIFO or a device and follows no link within a folder.
 */
export async function openInput(source: ImportSource, signal: AbortSignal): Promise<Input> {
  if ("stdin" in source) return singleInput(null, source.stdin, null, signal);
  if (await isFolder(source.path)) return folderInput(source.path, signal);
  const file = await openFile(source.path);
  try {
    const name = basename(source.path);
    if (await isZip(file)) return await zipInput(name, file, signal);
    return await singleInput(name, fileChunks(file), file, signal);
  } catch (error) {
    await file.handle.close();
    throw error;
  }
}

async function singleInput(
  name: string | null,
  bytes: AsyncIterable<Uint8Array>,
  file: OpenFile | null,
  signal: AbortSignal,
): Promise<Input> {
  const meter = new Meter();
  const entry = await openEntry(name, null, meter.count(abortable(bytes, signal)));
  return {
    fileName: name === null ? "-" : oneLine(name, 255) || "-",
    hasEntries: false,
    entries: toIterable([entry]),
    leftOut: () => [],
    bytesTotal: file?.size ?? null,
    bytesRead: () => meter.bytesRead,
    sha256: () => meter.hash.copy().digest("hex"),
    contentSha256: () => meter.hash.copy().digest("hex"),
    close: async () => file?.handle.close(),
  };
}

async function folderInput(path: string, signal: AbortSignal): Promise<Input> {
  const folder = await listFolder(path);
  if (folder.files.length === 0) throw new CorpusError("refused", "the folder holds no files");
  const meter = new Meter();
  let leftOutCount = folder.leftOutCount;
  async function* entries(): AsyncGenerator<InputEntry> {
    for (const { name, path: filePath, size } of folder.files) {
      signal.throwIfAborted();
      meter.hash.update(`${name}\0${size}\0`);
      const file = await openFile(filePath);
      try {
        if (await isZip(file)) {
          const zip = await zipInput(name, file, signal);
          for await (const entry of zip.entries) yield { ...entry, name: entryName(`${name}/${entry.name}`) };
          leftOutCount += zip.leftOut().length;
          meter.bytesRead += size;
          meter.hash.update(zip.sha256());
          continue;
        }
        const entry = await openText(name, () =>
          openEntry(basename(name), name, meter.count(abortable(fileChunks(file), signal))),
        );
        if (entry === null) leftOutCount++;
        else yield entry;
      } finally {
        await file.handle.close();
      }
    }
  }
  return {
    fileName: oneLine(basename(resolve(path)), 255) || "-",
    hasEntries: true,
    entries: entries(),
    leftOut: () => Array.from({ length: leftOutCount }, () => ({ file: "-", reason: "no text" })),
    bytesTotal: folder.files.reduce((sum, { size }) => sum + size, 0),
    bytesRead: () => meter.bytesRead,
    sha256: () => meter.hash.copy().digest("hex"),
    contentSha256: () => meter.hash.copy().digest("hex"),
    close: async () => undefined,
  };
}

async function zipInput(name: string, file: OpenFile, signal: AbortSignal): Promise<Input> {
  const members = await readZip(file.handle, file.size);
  const files = members.filter(({ isFolder }) => !isFolder);
  if (files.length === 0) throw new CorpusError("refused", "the archive holds no files");
  const digest = new Bun.CryptoHasher("sha256");
  for await (const chunk of abortable(fileChunks(file), signal)) digest.update(chunk);
  const sha256 = digest.digest("hex");
  const meter = new Meter();
  let leftOutCount = 0;
  async function* entries(): AsyncGenerator<InputEntry> {
    for (const member of files) {
      signal.throwIfAborted();
      const packed = meter.count(abortable(memberChunks(file.handle, member), signal));
      const entry = await openText(member.name, () =>
        openEntry(basename(member.name), member.name, unpackMember(member, packed)),
      );
      if (entry === null) leftOutCount++;
      else yield entry;
    }
  }
  return {
    fileName: oneLine(name, 255) || "-",
    hasEntries: true,
    entries: entries(),
    leftOut: () => Array.from({ length: leftOutCount }, () => ({ file: "-", reason: "no text" })),
    bytesTotal: files.reduce((sum, { packedSize }) => sum + packedSize, 0),
    bytesRead: () => meter.bytesRead,
    sha256: () => sha256,
    contentSha256: () => sha256,
    close: () => file.handle.close(),
  };
}

/** Counts and hashes what passes. */
class Meter {
  readonly hash = new Bun.CryptoHasher("sha256");
  bytesRead = 0;

  async *count(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.hash.update(chunk);
      this.bytesRead += chunk.length;
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    }
  }
}

async function* toIterable<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

/** An entry of an archive or folder; null when it is empty or no text: then it is left out. */
async function openText(name: string, open: () => Promise<InputEntry>): Promise<InputEntry | null> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof NotText) return null;
    throw error instanceof CorpusError
      ? new CorpusError(error.kind, `${entryName(name)}: ${error.message}`, { cause: error })
      : error;
  }
}

/** Empty, or not text. A reason to refuse a single file, and to pass over one of many. */
class NotText extends CorpusError {}

async function openEntry(
  fileName: string | null,
  name: string | null,
  bytes: AsyncIterable<Buffer>,
): Promise<InputEntry> {
  const raw = await peek(bytes, 1024);
  if (raw.head.length === 0) throw new NotText("refused", "the file is empty");
  const unpacked = await peek(unpack(raw, fileName), headSize);
  if (unpacked.head.length === 0) throw new NotText("refused", "the file is empty");
  refuseContainers(unpacked.head, null);
  const text = await peek(decode(unpacked), headSize);
  refuseBinary(text.head);
  return {
    name: name === null ? null : entryName(name),
    innerName: fileName?.replace(/\.(?:gz|zst)$/i, "") ?? null,
    head: text.head,
    chunks: text.chunks,
    isWhole: text.head.length < headSize,
  };
}

function entryName(name: string): string {
  return oneLine(name, 255) || "-";
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}

async function isZip({ handle, size }: OpenFile): Promise<boolean> {
  const head = Buffer.alloc(4);
  if (size < head.length) return false;
  await handle.read(head, 0, head.length, 0);
  return ["504b0304", "504b0506"].includes(head.toString("hex"));
}

type OpenFile = { readonly handle: FileHandle; readonly size: number };

async function openFile(path: string): Promise<OpenFile> {
  try {
    // Asked first, because opening some devices has effects; asked again, because the name may have changed hands.
    refuseSpecial(await stat(path));
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await handle.stat();
    if (!found.isFile()) await handle.close();
    refuseSpecial(found);
    return { handle, size: found.size };
  } catch (error) {
    throw error instanceof CorpusError ? error : unreadable(error);
  }
}

function refuseSpecial(found: { isFile(): boolean }): void {
  if (found.isFile()) return;
  throw new CorpusError(
    "refused",
    "the path is not a regular file; pipe its content in: xpose corpus import - --name NAME",
  );
}

function unreadable(error: unknown): CorpusError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return code === "ENOENT" || code === "ENOTDIR"
    ? new CorpusError("not_found", "there is no such file", { cause: error })
    : new CorpusError("refused", `the file cannot be read (${code})`, { cause: error });
}

/** Each chunk is valid until the next one is asked for. */
async function* fileChunks({ handle }: OpenFile): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(readSize);
  for (let position = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, readSize, position).catch((error: unknown) => {
      throw unreadable(error);
    });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The chunks until the signal aborts: a pipe may stay silent for ever. */
async function* abortable(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await nextOrAbort(iterator, signal);
    if (done === true) return;
    yield value;
  }
}

function nextOrAbort<Value>(iterator: AsyncIterator<Value>, signal: AbortSignal): Promise<IteratorResult<Value>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}

const gzipMagic = [0x1f, 0x8b];
const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

function unpack(raw: Peeked, name: string | null): AsyncIterable<Buffer> {
  refuseContainers(raw.head, name);
  if (startsWith(raw.head, gzipMagic)) return decompress(raw.chunks, "gzip");
  if (startsWith(raw.head, zstdMagic) || isSkippableFrame(raw.head)) return decompress(raw.chunks, "zstd");
  const ending = /\.(gz|zst)$/i.exec(name ?? "")?.[1];
  if (ending !== undefined)
    throw new CorpusError("refused", `the file is named .${ending} but does not hold such data`);
  return raw.chunks;
}

/** RFC 8878, 3.1.2: magic numbers 0x184D2A50 to 0x184D2A5F. */
function isSkippableFrame(head: Buffer): boolean {
  return head.length >= 4 && (head[0] ?? 0) >> 4 === 5 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
}

/** What is not unpacked here: its first bytes in hex (at an offset), the ending of its name, and what unpacks it. */
const containers = [
  {
    name: "a .zip archive",
    ending: "zip",
    magics: ["504b0304", "504b0506", "504b0708"],
    offset: 0,
    command: "unzip -p",
  },
  { name: "a .7z archive", ending: "7z", magics: ["377abcaf271c"], offset: 0, command: "7z x -so" },
  { name: "a .rar archive", ending: "rar", magics: ["526172211a07"], offset: 0, command: "unrar p -inul" },
  { name: "xz data", ending: "xz", magics: ["fd377a585a00"], offset: 0, command: "xz -dc" },
  { name: "bzip2 data", ending: "bz2", magics: ["314159265359"], offset: 4, command: "bzip2 -dc" },
  { name: "a tar archive", ending: "tar", magics: ["7573746172"], offset: 257, command: "tar -xOf" },
  { name: "a tar archive", ending: "tgz", magics: [], offset: 0, command: "tar -xOf" },
  { name: "an encrypted file", ending: "gpg", magics: ["2d2d2d2d2d424547494e20504750"], offset: 0, command: "gpg -d" },
  {
    name: "an encrypted file",
    ending: "age",
    magics: ["6167652d656e6372797074696f6e2e6f7267"],
    offset: 0,
    command: "age -d",
  },
] as const;

/** Looks at the first bytes, and at the name unless it is null: after unpacking it says nothing. */
function refuseContainers(head: Buffer, name: string | null): void {
  const ending = /\.([a-z0-9]+)$/.exec(name?.toLowerCase() ?? "")?.[1];
  const found = containers.find(
    (container) =>
      container.ending === ending ||
      container.magics.some((magic) => head.toString("hex", container.offset).startsWith(magic)),
  );
  if (found === undefined) return;
  throw new CorpusError(
    "refused",
    `the file is ${found.name}; unpack it into standard input: ${found.command} FILE | xpose corpus import - --name NAME`,
  );
}

function startsWith(head: Buffer, magic: readonly number[]): boolean {
  return magic.every((byte, position) => head[position] === byte);
}

/** Takes off a byte order mark; UTF-16 with one becomes UTF-8. Other encodings pass: their ASCII is the same. */
function decode({ head, chunks }: Peeked): AsyncIterable<Buffer> {
  if (startsWith(head, [0xff, 0xfe])) return decodeWith(new TextDecoder("utf-16le"), chunks);
  if (startsWith(head, [0xfe, 0xff])) return decodeWith(new TextDecoder("utf-16be"), chunks);
  return startsWith(head, [0xef, 0xbb, 0xbf]) ? skip(chunks, 3) : chunks;
}

async function* decodeWith(decoder: TextDecoder, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
}

async function* skip(chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let left = size;
  for await (const chunk of chunks) {
    yield chunk.subarray(left);
    left = 0;
  }
}

/** Of random bytes a tenth are control characters; in text they are dirt, one here and there. */
const maxControlShare = 0.1;

function refuseBinary(head: Buffer): void {
  let controlCount = 0;
  for (const byte of head) if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) controlCount++;
  if (controlCount > head.length * maxControlShare) {
    throw new NotText("refused", "the file is binary; import wants text in UTF-8, or in UTF-16 with a byte order mark");
  }
}
