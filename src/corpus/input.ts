import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { oneLine } from "../domain/finding.ts";
import { CorpusError } from "./error.ts";
import { type Peeked, peek } from "./peek.ts";

/** A file by its path, or bytes from standard input. */
export type ImportSource = { readonly path: string } | { readonly stdin: AsyncIterable<Uint8Array> };

/** A breach file as text: unpacked, in UTF-8, without a byte order mark. */
export type Input = {
  /** As it is named in the evidence: without its folder, `-` for standard input. */
  readonly fileName: string;
  /** Without the ending of a compression; null for standard input. */
  readonly innerName: string | null;
  /** The first bytes of the text, up to 64 KiB. */
  readonly head: Buffer;
  /** All of the text, `head` included, once. Throws `CorpusError` `refused` when a compressed file is damaged or cut. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes of the file itself, not of the text. */
  readonly bytesTotal: number | null;
  readonly bytesRead: () => number;
  /** SHA-256 of the bytes of the file, when all of them have been read. */
  readonly sha256: () => string;
  readonly close: () => Promise<void>;
};

const headSize = 64 << 10;
const readSize = 256 << 10;

/**
 * Opens a file to import. Throws `CorpusError`: `not_found`; `refused` for what is no regular file, empty, binary, or
 * packed in a way that is not read here; and what `signal` was aborted with, also while it waits for standard input.
 * It never waits on a FIFO or a device.
 */
export async function openInput(source: ImportSource, signal: AbortSignal): Promise<Input> {
  if ("stdin" in source) return readInput(null, abortable(source.stdin, signal), null);
  const file = await openFile(source.path);
  try {
    return await readInput(basename(source.path), abortable(fileChunks(file), signal), file);
  } catch (error) {
    await file.handle.close();
    throw error;
  }
}

async function readInput(name: string | null, bytes: AsyncIterable<Uint8Array>, file: OpenFile | null): Promise<Input> {
  const hash = createHash("sha256");
  let bytesRead = 0;
  async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytesRead += chunk.length;
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    }
  }
  const raw = await peek(counted(bytes), 1024);
  if (raw.head.length === 0) throw new CorpusError("refused", "the file is empty");
  const unpacked = await peek(unpack(raw, name), headSize);
  if (unpacked.head.length === 0) throw new CorpusError("refused", "the file is empty");
  refuseContainers(unpacked.head, null);
  const text = await peek(decode(unpacked), headSize);
  refuseBinary(text.head);
  return {
    fileName: name === null ? "-" : oneLine(name, 255) || "-",
    innerName: name?.replace(/\.(?:gz|zst)$/i, "") ?? null,
    head: text.head,
    chunks: text.chunks,
    bytesTotal: file?.size ?? null,
    bytesRead: () => bytesRead,
    sha256: () => hash.copy().digest("hex"),
    close: async () => file?.handle.close(),
  };
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

function refuseSpecial(found: { isFile(): boolean; isDirectory(): boolean }): void {
  if (found.isFile()) return;
  throw new CorpusError(
    "refused",
    found.isDirectory()
      ? "the path is a directory; import its files one by one, or all through standard input: cat DIR/* | xpose corpus import - --name NAME"
      : "the path is not a regular file; pipe its content in: xpose corpus import - --name NAME",
  );
}

function unreadable(error: unknown): CorpusError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return code === "ENOENT" || code === "ENOTDIR"
    ? new CorpusError("not_found", "there is no such file", { cause: error })
    : new CorpusError("refused", `the file cannot be read (${code})`, { cause: error });
}

async function* fileChunks(file: OpenFile): AsyncGenerator<Buffer> {
  for (;;) {
    const buffer = Buffer.allocUnsafeSlow(readSize);
    const { bytesRead } = await file.handle.read(buffer, 0, readSize, null).catch((error: unknown) => {
      throw unreadable(error);
    });
    if (bytesRead === 0) return;
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

/**
 * Unpacks all members or frames. `DecompressionStream` refuses a cut file and trailing rubbish in both formats; the
 * zstd stream of node:zlib ends a cut file without an error.
 */
async function* decompress(chunks: AsyncIterable<Buffer>, format: "gzip" | "zstd"): AsyncGenerator<Buffer> {
  let readError: unknown = null;
  async function* watched(): AsyncGenerator<Buffer> {
    try {
      yield* chunks;
    } catch (error) {
      readError = error;
      throw error;
    }
  }
  const stream = toStream(watched()).pipeThrough(new DecompressionStream(format));
  try {
    for await (const chunk of stream) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  } catch (error) {
    throw readError ?? new CorpusError("refused", `the ${format} data is damaged or cut short`, { cause: error });
  }
}

/** Pulls one chunk at a time, so that no more is unpacked than is read. */
function toStream(chunks: AsyncGenerator<Buffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    async cancel() {
      await chunks.return(undefined);
    },
  });
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
    throw new CorpusError(
      "refused",
      "the file is binary; import wants text in UTF-8, or in UTF-16 with a byte order mark",
    );
  }
}
