import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { CorpusError } from "../error.ts";
import { ByteReader } from "./bytes.ts";
import type { OpenMember } from "./container.ts";
import { type DiskFile, openDiskFile } from "./disk-file.ts";
import { Entries, OpenEntry } from "./entries.ts";
import { safeName } from "./entry-name.ts";
import { folderSize, openFolder } from "./folder.ts";
import { LeftOutList } from "./left-out.ts";
import { Meter } from "./meter.ts";
import { standardInput } from "./standard-input.ts";
import { type Unfolded, unfold } from "./unfold.ts";

/** A file or folder by its path, or bytes from standard input. */
export type ImportSource = { readonly path: string } | { readonly stdin: AsyncIterable<Uint8Array> };

/** One text: unpacked, in UTF-8, without a byte order mark. */
export type InputEntry = {
  /** Its path within the archive or folder, safe to store (see `safeName`); null for a single file. */
  readonly name: string | null;
  /** Its own name without folder and compression ending, as on disk; never stored or shown. Null for standard input. */
  readonly innerName: string | null;
  /** The first bytes of the text, up to 64 KiB. */
  readonly head: Buffer;
  /**
   * All of the text, `head` included, once; each chunk is valid until the next. An entry whose chunks are never asked
   * for was not read: it counts for no hash. Throws `CorpusError` `refused` when a compressed file is damaged or cut.
   */
  readonly chunks: AsyncIterable<Buffer>;
  /** Whether `head` is all of the text. */
  readonly isWhole: boolean;
};

/** A file that was not read, and why, in plain words that continue "the file is". Its name is safe to store. */
export type LeftOut = { readonly file: string; readonly reason: string };

/** What is imported at once: a file, the files of an archive or those below a folder. */
export type Input = {
  /** As it is named in the evidence: without its folder, safe to store; `-` for standard input. */
  readonly fileName: string;
  /** Whether there are entries with names: an archive or a folder. */
  readonly hasEntries: boolean;
  /** Once, in order; each must be read before the next is asked for. Throws when none of them holds text. */
  readonly entries: AsyncIterable<InputEntry>;
  /** Files that were not read, with a plain reason each, so far; beyond 1,000 of them the others as one, in number. */
  readonly leftOut: () => readonly LeftOut[];
  /** Bytes of the files themselves, not of the text; null where it is not known before. */
  readonly bytesTotal: number | null;
  readonly bytesRead: () => number;
  /** SHA-256 of the bytes of the file, when all of them have been read; of a folder, of all names and files in order. */
  readonly sha256: () => string;
  /** SHA-256 of the unpacked bytes of all entries that were read, in order: the same text has the same, however packed. */
  readonly contentSha256: () => string;
  readonly close: () => Promise<void>;
};

/** A folder of more files is read without being counted before. */
const maxCounted = 10_000;

/**
 * Opens a file, archive or folder to import. Throws `CorpusError`: `not_found`; `refused` for what is no regular file
 * and no folder, empty, binary, or packed in a way that is not read here; and what `signal` was aborted with, also
 * while it waits for standard input. It never waits on a FIFO or a device and follows no link within a folder.
 */
export async function openInput(source: ImportSource, signal: AbortSignal): Promise<Input> {
  if ("stdin" in source) return stdinInput(source.stdin, signal);
  if (isFolder(source.path)) return folderInput(source.path, signal);
  const meter = new Meter();
  const file = openNamed(source.path);
  return await fileInput({
    member: { reader: file.reader, random: file, close: file.close },
    name: basename(source.path),
    meter,
    bytesTotal: file.size,
    signal,
  });
}

/** What an argument that is not UTF-8 has become when it gets here. */
const replacement = "\ufffd";

function openNamed(path: string): DiskFile {
  try {
    return openDiskFile(path, true);
  } catch (error) {
    if (!path.includes(replacement) || !(error instanceof CorpusError) || error.kind !== "not_found") throw error;
    throw new CorpusError(
      "not_found",
      "there is no such file; one whose name is not UTF-8 goes through standard input: xpose corpus import - --name NAME < FILE",
      { cause: error },
    );
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Opening it as a file says what is wrong.
    return false;
  }
}

async function stdinInput(stdin: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Input> {
  const meter = new Meter();
  const { pull, close } = standardInput(stdin, signal);
  return await fileInput({
    member: { reader: new ByteReader(meter.counted(pull)), random: null, close },
    name: null,
    meter,
    bytesTotal: null,
    signal,
  });
}

type SingleFile = {
  readonly member: OpenMember;
  readonly name: string | null;
  readonly meter: Meter;
  readonly bytesTotal: number | null;
  readonly signal: AbortSignal;
};

async function fileInput({ member, name, meter, bytesTotal, signal }: SingleFile): Promise<Input> {
  let unfolded: Unfolded;
  try {
    unfolded = await unfold({ member, name, meter, isAlone: true });
  } catch (error) {
    await member.close();
    throw error;
  }
  const fileName = name === null ? "-" : safeName(name);
  const { close } = unfolded;
  const leftOut = new LeftOutList();
  const shared = { fileName, bytesTotal, bytesRead: () => meter.bytesRead, leftOut: () => leftOut.list() };
  const sha256 = () => meter.packed.copy().digest("hex");
  if ("container" in unfolded) {
    const { container } = unfolded;
    const entries = new Entries({ root: container, isFolder: false, close, meter, leftOut, signal });
    return {
      ...shared,
      hasEntries: true,
      entries,
      sha256,
      contentSha256: () => meter.contentSha256(),
      close: async () => void (await entries.return()),
    };
  }
  const { text, isPacked } = unfolded;
  const entry = new OpenEntry({ name: null, innerName: name, text, signal, close });
  return {
    ...shared,
    hasEntries: false,
    entries: toIterable(entry),
    sha256,
    contentSha256: isPacked ? () => meter.contentSha256() : sha256,
    close: async () => void (await entry.finish()),
  };
}

async function* toIterable<Item>(item: Item): AsyncGenerator<Item> {
  yield item;
}

function folderInput(path: string, signal: AbortSignal): Input {
  const meter = new Meter();
  const leftOut = new LeftOutList();
  const root = openFolder(path, (name, size) => meter.beginFile(name, size));
  const entries = new Entries({ root, isFolder: true, close: root.close, meter, leftOut, signal });
  return {
    fileName: safeName(basename(resolve(path))),
    hasEntries: true,
    entries,
    leftOut: () => leftOut.list(),
    bytesTotal: folderSize(path, maxCounted),
    bytesRead: () => meter.bytesRead,
    sha256: () => meter.packed.copy().digest("hex"),
    contentSha256: () => meter.contentSha256(),
    close: async () => void (await entries.return()),
  };
}
