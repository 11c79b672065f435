import { crc32, inflateRawSync } from "node:zlib";
import type { ByteReader, Pull } from "./bytes.ts";
import { inflateRaw } from "./decompress.ts";
import { archiveName } from "./entry-name.ts";
import { pipe } from "./kinds.ts";
import { Damaged, Unread } from "./unread.ts";

/** The record of a file in a .zip archive (PKWARE APPNOTE 6.3.10), from the directory or from before its bytes. */
export type ZipRecord = {
  readonly path: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  readonly headerAt: number;
};

export const stored = 0;
const deflated = 8;

/** Offsets of the fields shared by local and central records, and of those in only one of them. */
type Layout = { readonly flags: number; readonly size: number; readonly headerAt: number | null };

export const localSize = 30;
export const centralSize = 46;
const layouts = {
  local: { flags: 6, size: localSize, headerAt: null },
  central: { flags: 8, size: centralSize, headerAt: 42 },
} as const satisfies Record<string, Layout>;

/** Parses a record with its name and extra fields. Throws `Damaged`. */
export function parseRecord(record: Buffer, kind: "local" | "central"): ZipRecord {
  const { flags: at, size: fixedSize, headerAt } = layouts[kind];
  const nameEnd = fixedSize + record.readUInt16LE(at + 20);
  const extra = record.subarray(nameEnd, nameEnd + record.readUInt16LE(at + 22));
  const sizes = [record.readUInt32LE(at + 16), record.readUInt32LE(at + 12)];
  if (headerAt !== null) sizes.push(record.readUInt32LE(headerAt));
  const [size = 0, packedSize = 0, offset = 0] = withZip64(sizes, extra);
  return {
    path: recordPath(record.subarray(fixedSize, nameEnd), extra),
    flags: record.readUInt16LE(at),
    method: record.readUInt16LE(at + 2),
    crc: record.readUInt32LE(at + 8),
    packedSize,
    size,
    headerAt: offset,
  };
}

/** The content of the extra field with an id; null when there is none. */
function extraField(extra: Buffer, wanted: number): Buffer | null {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === wanted) return extra.subarray(at + 4, end);
    at = end;
  }
  return null;
}

/** Takes numbers over 32 bits from extra field 1, which contains only those. */
function withZip64(sizes: readonly number[], extra: Buffer): number[] {
  if (!sizes.includes(0xffffffff)) return [...sizes];
  const field = extraField(extra, 1);
  if (field === null) return [...sizes];
  let from = 0;
  return sizes.map((size) => {
    if (size !== 0xffffffff) return size;
    if (from + 8 > field.length) throw damaged("its directory is damaged");
    from += 8;
    return Number(field.readBigUInt64LE(from - 8));
  });
}

/**
 * The path with `/` between its parts, because Windows programs have written `\`. Throws `Damaged` for a name that
 * leaves the archive.
 */
function recordPath(name: Buffer, extra: Buffer): string {
  const unicode = extraField(extra, 0x7075);
  // The field holds: version, checksum of the name it replaces, name.
  const isUnicode = unicode !== null && unicode.length > 5 && unicode.readUInt32LE(1) === crc32(name);
  const path = archiveName(isUnicode ? unicode.subarray(5) : name).replaceAll("\\", "/");
  const isOutside = path === "" || path.startsWith("/") || /^[a-z]:/i.test(path) || path.includes("\0");
  if (isOutside || path.split("/").some((part) => part === ".." || part === ".")) {
    throw damaged("the name of a file in it leaves the archive");
  }
  return path;
}

/** Throws `Unread` for a file that is encrypted or packed with an unsupported method. */
export function refuseRecord({ flags, method }: ZipRecord): void {
  if ((flags & 1) !== 0 || method === 99) {
    throw new Unread(`an encrypted .zip archive; with its password: ${pipe("7z x -so FILE")}`);
  }
  if (method === stored || method === deflated) return;
  const name = methods[method] ?? `method ${method}`;
  throw new Unread(`a .zip archive packed by ${name}, which is not supported: ${pipe("7z x -so FILE")}`);
}

const methods: Readonly<Record<number, string>> = {
  9: "method 9 (Deflate64)",
  12: "method 12 (bzip2)",
  14: "method 14 (LZMA)",
  93: "method 93 (zstd)",
  95: "method 95 (xz)",
  98: "method 98 (PPMd)",
};

/** Text compresses to a tenth, one repeated line to a thousandth. A file with a higher ratio is not a breach file. */
const maxExpansion = 200;
/** Bytes that may come out of any file, however small. */
const freeExpansion = 64 << 20;
/** Files up to this size are unpacked in one call: 10 us instead of 100. */
export const smallSize = 256 << 10;

/** Unpacks a small file in memory. Throws `Damaged`. */
export function unpackSmall({ method, size, crc }: ZipRecord, packed: Buffer): Buffer {
  const bytes = method === stored || packed.length === 0 ? packed : inflateSmall(packed, size);
  if (bytes.length !== size || crc32(bytes) !== crc) throw damaged("a file in it is damaged");
  return bytes;
}

function inflateSmall(packed: Buffer, size: number): Buffer {
  try {
    // One byte more, to detect output that is too long.
    return inflateRawSync(packed, { maxOutputLength: size + 1 });
  } catch (error) {
    throw damaged("a file in it is damaged", error);
  }
}

/** The sizes and the checksum of a file, from the record before its bytes or from the descriptor after them. */
type Sums = Pick<ZipRecord, "crc" | "packedSize" | "size">;

/**
 * Unpacks a file and checks the result against `sums`, which is called at the end. `packed` holds the packed bytes; if
 * their number is unknown, all bytes that follow, and the deflate stream finds its own end.
 */
export function unpackStream(
  method: number,
  packed: ByteReader,
  sums: (size: number, crc: number) => Sums | Promise<Sums>,
) {
  const unpacking = method === stored ? null : inflateRaw(packed);
  const source = unpacking?.pull ?? packed.pull;
  let size = 0;
  let crc = 0;
  const pull: Pull = async () => {
    const chunk = await source();
    if (chunk === null) {
      const said = await sums(size, crc);
      if (size !== said.size || crc !== said.crc) throw damaged("a file in it is damaged");
      return null;
    }
    size += chunk.length;
    crc = crc32(chunk, crc);
    return chunk;
  };
  return { pull, close: () => unpacking?.close() };
}

/** Refuses a file whose unpacked size is out of proportion to its packed size. */
export function limitExpansion(pull: Pull, packedSize: () => number): Pull {
  let size = 0;
  const check = (chunk: Buffer | null): Buffer | null => {
    size += chunk?.length ?? 0;
    if (size > freeExpansion && size > packedSize() * maxExpansion) {
      throw damaged(`a file in it expands more than ${maxExpansion} times`);
    }
    return chunk;
  };
  return () => {
    const next = pull();
    return next instanceof Promise ? next.then(check) : check(next);
  };
}

export function damaged(why: string, cause?: unknown): Damaged {
  return new Damaged(`a .zip archive that cannot be read: ${why}`, { cause });
}
