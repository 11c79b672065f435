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

/** The path of a file or folder, or bytes from standard input. */
export type ImportSource = { readonly path: string } | { readonly stdin: AsyncIterable<Uint8Array> };

/** One text: unpacked, in UTF-8, without byte order marks. */
export type InputEntry = {
  /** Its path in the archive or folder, safe to store (see `safeName`); null for a single file. */
  readonly name: string | null;
  /** Its file name on disk, without folder and compression ending; never stored or shown. Null for standard input. */
  readonly innerName: string | null;
  /** The first bytes of the text, up to 64 KiB. */
  readonly head: Buffer;
  /**
   * The whole text, starting with `head`; can be read once. A chunk is valid until the next. An entry whose chunks are
   * never requested is left out of the hashes. Throws `CorpusError` `refused` when a compressed file is damaged or
   * truncated.
   */
  readonly chunks: AsyncIterable<Buffer>;
  /** Whether `head` is the whole text. */
  readonly isWhole: boolean;
};

/** A file that was not read. The reason completes the sentence "the file is ..."; the name is safe to store. */
export type LeftOut = { readonly file: string; readonly reason: string };

/** The input of one import: a file, the files of an archive, or the files below a folder. */
export type Input = {
  /** The name shown in evidence: without its folder, safe to store; `-` for standard input. */
  readonly fileName: string;
  /** Whether the entries have names: true for an archive or a folder. */
  readonly hasEntries: boolean;
  /** Entries in order, once. Read each before you request the next. Throws when no entry holds text. */
  readonly entries: AsyncIterable<InputEntry>;
  /** Files not read so far, each with a reason. Beyond 1,000 files the rest is one item with their number. */
  readonly leftOut: () => readonly LeftOut[];
  /** Size of the files themselves, not of the text; null when unknown beforehand. */
  readonly bytesTotal: number | null;
  readonly bytesRead: () => number;
  /** SHA-256 of the file when it has been read to its end; for a folder, of all names and files in order. */
  readonly sha256: () => string;
  /** SHA-256 of the unpacked bytes of all entries that were read, in order. It does not depend on the compression. */
  readonly contentSha256: () => string;
  readonly close: () => Promise<void>;
};

/** A folder with more files is read without counting its size first. */
const maxCounted = 10_000;

/**
 * Opens a file, archive or folder for import. Throws `CorpusError`: `not_found`; `refused` for special files, and for
 * files that are empty, binary or packed in an unsupported way. Throws the abort reason of `signal`, also while waiting
 * for standard input. Never waits on a FIFO or a device and follows no link inside a folder.
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

/** A command-line argument that is not UTF-8 arrives with this character in it. */
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
    // Opening it as a file reports the error.
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
