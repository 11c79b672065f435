import { isTarHeader } from "./tar-header.ts";
import { Damaged, Unread } from "./unread.ts";

/**
 * The command line for a file that another program must unpack. It contains FILE instead of the name, which may not be
 * UTF-8.
 */
export function pipe(command: string): string {
  return `${command} | xpose corpus import - --name NAME`;
}

/** Bytes needed to recognise a kind: the tar mark is at offset 257, and a tar header has 512 bytes. */
export const kindSize = 1024;

export type Kind = "gzip" | "zstd" | "xz" | "zip" | "tar" | "text";

/**
 * Detects how to read a file from its first bytes and, if these are ambiguous, from its name; `text` is everything that
 * is not packed. `name` is the name of the packed file, or null if unknown. Throws `Unread` for an unsupported kind,
 * with the command line that unpacks it.
 */
export function kindOf(head: Buffer, name: string | null): Kind {
  if (head.length === 0) throw new Unread("empty");
  const kind = packedKind(head);
  if (kind !== null) {
    const part = partReason(name);
    if (part !== null) throw new Unread(part);
    return kind;
  }
  const other = foreign.find(({ marks }) => marks.some((mark) => hasMark(head, mark)));
  if (other !== undefined) throw new Unread(partReason(name) ?? other.reason);
  if (binaries.some((mark) => hasMark(head, mark))) throw new Unread(binaryReason(name));
  refuseByName(name);
  return "text";
}

export function binaryReason(name: string | null): string {
  return partReason(name) ?? "binary; import wants text";
}

/** Magic bytes and their offset. */
type Mark = { readonly bytes: Buffer; readonly at: number };

function mark(hex: string, at = 0): Mark {
  return { bytes: Buffer.from(hex, "hex"), at };
}

function hasMark(head: Buffer, { bytes, at }: Mark): boolean {
  return head[at] === bytes[0] && head.subarray(at, at + bytes.length).equals(bytes);
}

const packed: readonly (readonly [Kind, Mark])[] = [
  ["gzip", mark("1f8b")],
  ["zstd", mark("28b52ffd")],
  ["xz", mark("fd377a585a00")],
  ["zip", mark("504b0304")],
  ["zip", mark("504b0506")],
  // The mark of an archive that was meant to be split but fitted into one part.
  ["zip", mark("504b3030504b0304")],
  // The parts of a split archive, concatenated.
  ["zip", mark("504b0708504b0304")],
];
const ustarMark = mark("7573746172", 257);
const tarLine = pipe("tar -xOf FILE");

function packedKind(head: Buffer): Kind | null {
  const found = packed.find(([, bytes]) => hasMark(head, bytes));
  if (found !== undefined) return found[0];
  if (isSkippableFrame(head)) return "zstd";
  if (isTarHeader(head)) return "tar";
  if (hasMark(head, ustarMark)) throw new Damaged(`a tar archive whose first header is damaged: ${tarLine}`);
  return null;
}

/** RFC 8878, 3.1.2: magic numbers 0x184D2A50 to 0x184D2A5F. */
function isSkippableFrame(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32LE(0) >>> 4 === 0x184d2a5;
}

/** Unsupported kinds, each with the command that reads it. */
const foreign: readonly { readonly marks: readonly Mark[]; readonly reason: string }[] = [
  { marks: [mark("377abcaf271c")], reason: `a .7z archive: ${pipe("7z x -so FILE")}` },
  { marks: [mark("526172211a07")], reason: `a .rar archive: ${pipe("unrar p -inul FILE")}` },
  { marks: [mark("314159265359", 4)], reason: `bzip2 data: ${pipe("bzip2 -dc FILE")}` },
  { marks: [mark("5d00000004"), mark("5d00008000")], reason: `lzma data: ${pipe("xz --format=lzma -dc FILE")}` },
  { marks: [mark("04224d18")], reason: `lz4 data: ${pipe("lz4 -dc FILE")}` },
  { marks: [mark("4c5a495001")], reason: `lzip data: ${pipe("lzip -dc FILE")}` },
  { marks: [mark("894c5a4f")], reason: `lzop data: ${pipe("lzop -dc FILE")}` },
  { marks: [mark("1f9d")], reason: `data of compress: ${pipe("gzip -dc FILE")}` },
  { marks: [textMark("-----BEGIN PGP MESSAGE-----")], reason: `an encrypted file: ${pipe("gpg -d FILE")}` },
  {
    marks: [textMark("age-encryption.org/v1"), textMark("-----BEGIN AGE ENCRYPTED FILE-----")],
    reason: `an encrypted file: ${pipe("age -d FILE")}`,
  },
  {
    marks: [textMark("Salted__")],
    reason: `an encrypted file: ${pipe("openssl enc -d -aes-256-cbc -pbkdf2 -in FILE")}`,
  },
  { marks: [textMark("%PDF-")], reason: `a PDF document: ${pipe("pdftotext FILE -")}` },
  {
    marks: [mark("d0cf11e0a1b11ae1")],
    reason: `an old or an encrypted Office file (.doc, .xls, .msg): ${pipe("soffice --headless --cat FILE")}`,
  },
  { marks: [textMark("SQLite format 3\0")], reason: `a SQLite database: ${pipe("sqlite3 FILE .dump")}` },
];

function textMark(text: string): Mark {
  return mark(Buffer.from(text).toString("hex"));
}

/** Pictures, programs and other files without records. Some of them look like text at first. */
const binaries: readonly Mark[] = [
  mark("89504e470d0a1a0a"),
  mark("ffd8ff"),
  textMark("GIF87a"),
  textMark("GIF89a"),
  mark("7f454c46"),
  mark("4d5a9000"),
  mark("cafebabe"),
  mark("0061736d"),
  textMark("OggS\0"),
  mark("49443302"),
  mark("49443303"),
  mark("49443304"),
  mark("66747970", 4),
  mark("1a45dfa3"),
  textMark("\0\0\0\x01Bud1"),
];

export function splitZip(): string {
  return `a part of a split .zip archive: ${pipe("cat FILE.z?? FILE.zip")}`;
}

const parts: readonly (readonly [RegExp, string])[] = [
  [/\.7z\.\d{3}$/i, `a part of a split .7z archive: ${pipe("7z x -so FILE.7z.001")}`],
  [/\.part\d+\.rar$/i, `a part of a split .rar archive: ${pipe("unrar p -inul FILE.part1.rar")}`],
  [/\.r\d\d$/i, `a part of a split .rar archive: ${pipe("unrar p -inul FILE.rar")}`],
  [/\.z\d\d$/i, splitZip()],
  [/\.\d{3}$|\.a[a-z]$/i, `a part of a split file: ${pipe("cat FILE.*")}`],
];

/** If the name is that of a part of a split file: the kind of file and how to join it. Otherwise null. */
function partReason(name: string | null): string | null {
  return parts.find(([ending]) => ending.test(name ?? ""))?.[1] ?? null;
}

/** Endings of packed files, for files whose content does not match. */
const endings: Readonly<Record<string, string>> = {
  gz: pipe("gzip -dc FILE"),
  tgz: tarLine,
  zst: pipe("zstd -dc FILE"),
  xz: pipe("xz -dc FILE"),
  zip: pipe("unzip -p FILE"),
  tar: tarLine,
  "7z": pipe("7z x -so FILE"),
  rar: pipe("unrar p -inul FILE"),
  bz2: pipe("bzip2 -dc FILE"),
};
/** Endings of packed and encrypted files that have no magic bytes. */
const unmarked: Readonly<Record<string, string>> = {
  br: `brotli data: ${pipe("brotli -dc FILE")}`,
  lzma: `lzma data: ${pipe("xz --format=lzma -dc FILE")}`,
  gpg: `an encrypted file: ${pipe("gpg -d FILE")}`,
  pgp: `an encrypted file: ${pipe("gpg -d FILE")}`,
};

function refuseByName(name: string | null): void {
  const ending = /\.([a-z0-9]+)$/.exec(name?.toLowerCase() ?? "")?.[1] ?? "";
  const reason = Object.hasOwn(unmarked, ending) ? unmarked[ending] : undefined;
  if (reason !== undefined) throw new Unread(reason);
  if (!Object.hasOwn(endings, ending)) return;
  throw new Unread(`named .${ending} but does not hold such data, or a part of it: ${endings[ending]}`);
}
