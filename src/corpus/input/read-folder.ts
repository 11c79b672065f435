import { dlopen, FFIType, ptr } from "bun:ffi";
import { closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";
import { unreadable } from "./disk-file.ts";
import { Unread } from "./unread.ts";

export type EntryKind = "file" | "folder" | "symbolic link" | "FIFO" | "socket" | "device";

/** A file name with one character per byte, so that strings sort like the bytes. `bytesOf` restores the bytes. */
export type FolderEntry = { readonly name: string; readonly kind: EntryKind };

export function bytesOf(name: string): Buffer {
  return Buffer.from(name, "latin1");
}

/** Names held at once, briefly twice as many. A larger folder is read several times. */
const maxHeld = 100_000;

/**
 * Lists a folder in byte order of the names, in bounded memory. Throws the error of `unreadable` when the folder cannot
 * be read.
 */
export function* readFolder(path: Buffer, heldCount = maxHeld): Generator<FolderEntry> {
  let after: string | null = null;
  for (;;) {
    const { names, isAll } = smallestNames(path, after, heldCount);
    for (const held of names) {
      const name = nameOf(held);
      after = name;
      const kind = kinds[held.charCodeAt(held.length - 1)] ?? kindByAsking(path, name);
      // Null when the entry vanished in the meantime.
      if (kind !== null) yield { name, kind };
    }
    if (isAll) return;
  }
}

/** The smallest `heldCount` names after `after`, and whether these are all remaining names. */
function smallestNames(path: Buffer, after: string | null, heldCount: number): { names: string[]; isAll: boolean } {
  let names: string[] = [];
  const bounds: Bounds = { after: after === null ? null : bytesOf(after), limit: null };
  for (const name of namesIn(path, bounds)) {
    names.push(name);
    if (names.length < 2 * heldCount) continue;
    names = names.sort().slice(0, heldCount);
    bounds.limit = bytesOf(nameOf(names.at(-1) ?? ""));
  }
  return { names: names.sort(), isAll: bounds.limit === null };
}

/** A range of names: greater than `after`, up to `limit`. Names outside are never converted to strings. */
type Bounds = { readonly after: Buffer | null; limit: Buffer | null };

function isWanted(records: Buffer, start: number, end: number, { after, limit }: Bounds): boolean {
  return (
    (after === null || order(records, start, end, after) > 0) &&
    (limit === null || order(records, start, end, limit) <= 0)
  );
}

function order(records: Buffer, start: number, end: number, name: Buffer): number {
  const size = Math.min(end - start, name.length);
  for (let at = 0; at < size; at++) {
    const difference = (records[start + at] ?? 0) - (name[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return end - start - name.length;
}

/** Held names end with a NUL and the kind. Names contain no NUL, so the order is unchanged. */
function nameOf(held: string): string {
  return held.slice(0, -2);
}

/** Values of `d_type` in a directory entry (readdir(3)). */
const kinds: Readonly<Record<number, EntryKind>> = {
  1: "FIFO",
  2: "device",
  4: "folder",
  6: "device",
  8: "file",
  10: "symbolic link",
  12: "socket",
};

/** For file systems without `d_type`. */
function kindByAsking(folder: Buffer, name: string): EntryKind | null {
  try {
    const found = lstatSync(Buffer.concat([folder, Buffer.from("/"), bytesOf(name)]));
    if (found.isFile()) return "file";
    if (found.isDirectory()) return "folder";
    if (found.isSymbolicLink()) return "symbolic link";
    if (found.isFIFO()) return "FIFO";
    return found.isSocket() ? "socket" : "device";
  } catch {
    return null;
  }
}

const getdents64 = process.arch === "arm64" ? 61 : 217;
const bufferSize = 64 << 10;

const call = load();

/**
 * Loads getdents64(2). The runtime's `readdir` holds all names at once, at 300 bytes each, and does not report kinds.
 */
function load() {
  try {
    const { i64, i32, ptr: pointer, u64, i64_fast } = FFIType;
    const { symbols } = dlopen("libc.so.6", { syscall: { args: [i64, i32, pointer, u64], returns: i64_fast } });
    return symbols.syscall;
  } catch {
    return null;
  }
}

/** The names of a folder in the held form, unordered; the kind is 0 when unknown. */
function* namesIn(path: Buffer, bounds: Bounds): Generator<string> {
  if (call === null) {
    for (const found of readdirSync(path, { encoding: "buffer" })) {
      const name = Buffer.from(found);
      if (isWanted(name, 0, name.length, bounds)) yield `${name.toString("latin1")}\0\0`;
    }
    return;
  }
  let folder: number;
  try {
    folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw unreadable(error);
  }
  try {
    const buffer = Buffer.allocUnsafeSlow(bufferSize + 1);
    const at = ptr(buffer);
    for (;;) {
      const size = Number(call(getdents64, folder, at, bufferSize));
      if (size < 0) throw new Unread("not readable");
      if (size === 0) return;
      yield* namesOf(buffer, size, bounds);
    }
  } finally {
    closeSync(folder);
  }
}

/**
 * Parses `struct linux_dirent64`: inode 8 bytes, offset 8, record length 2, kind 1, name with a final NUL. Copies the
 * kind to the byte after that NUL (padding, or the next inode, which is not needed), so that one 8-bit string holds
 * both.
 */
function* namesOf(records: Buffer, size: number, bounds: Bounds): Generator<string> {
  for (let at = 0; at < size; at += records.readUInt16LE(at + 16)) {
    const start = at + 19;
    const end = records.indexOf(0, start);
    const isDots = records[start] === dot && (end === start + 1 || (end === start + 2 && records[start + 1] === dot));
    records[end + 1] = records[at + 18] ?? 0;
    if (!isDots && isWanted(records, start, end, bounds)) yield records.toString("latin1", start, end + 2);
  }
}

const dot = 0x2e;
