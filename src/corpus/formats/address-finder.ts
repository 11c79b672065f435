import type { LineScanner } from "./line-scanner.ts";

/**
 * `address`: the scanner holds an address, not hashed yet. `doubtful`: there may be an address but its bounds are
 * uncertain, as with the user in a URL. `none`: an at-sign in other text.
 */
export type Found = "address" | "doubtful" | "none";

const lineFeed = 0x0a;
const ampersand = 0x26;
const quote = 0x27;
const hyphen = 0x2d;
const dot = 0x2e;
const slash = 0x2f;
const colon = 0x3a;
const semicolon = 0x3b;
const equals = 0x3d;
const at = 0x40;
const backslash = 0x5c;
const underscore = 0x5f;
const pipe = 0x7c;
const closeBrace = 0x7d;
const percent = 0x25;

const plainLocal = tableOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.");
const plainDomain = tableOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");
/** May stand in a local part and do not separate fields in lists. */
const innerLocal = tableOf("!$&*?^%");
/** Stripped before an address, although a local part may begin with them (docs/contract.md 4.2). */
const leading = tableOf("'`*!?^$&~");
/** Bytes after an address that leave no doubt about its end. */
const plainAfter = new Uint8Array(256).fill(1, 0, 0x80);
for (const byte of Buffer.from("-._@=/?")) plainAfter[byte] = 0;
/** Bytes before an address that leave no doubt about its start. */
const plainBefore = tableOf(',:;|<>()[]" \t\n\r\0');

function latin1(bytes: Buffer, start: number, end: number): string {
  return bytes.toString("latin1", start, end);
}

function tableOf(bytes: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(bytes)) table[byte] = 1;
  return table;
}

const maxLocalSize = 64;
const maxDomainSize = 253;
/** How far back to look for the start of a URL. */
const maxUserInfo = 256;
/** From this many hyphens on they separate fields; a local part may contain shorter runs. */
const separatorHyphens = 4;

/**
 * Finds the start and end of the address around an at-sign (docs/pipeline.md 21.6). Characters allowed in a local part,
 * above all `/ = # ~ |`, also separate fields. Looks only at the text near the sign, so the cost is bounded.
 */
export class AddressFinder {
  readonly #scanner: LineScanner;
  /** Whether `\n`, `\r` and `\t` before an address are escapes, not the separator `\` and a letter. */
  readonly #hasEscapes: boolean;
  /** The range of the address found last. */
  start = 0;
  end = 0;
  /** Whether a second at-sign follows the address: `jane.doe@example.com@secret`. */
  isDoubled = false;

  constructor(scanner: LineScanner, { hasEscapes }: { readonly hasEscapes: boolean }) {
    this.#scanner = scanner;
    this.#hasEscapes = hasEscapes;
  }

  /** Examines the at-sign at offset `sign`. Reads no byte before `floor` or from `limit` on. */
  find(bytes: Buffer, sign: number, floor: number, limit: number): Found {
    let start = sign;
    let hyphens = 0;
    while (start > floor) {
      const byte = bytes[start - 1] ?? 0;
      if (plainLocal[byte] === 0) break;
      hyphens = byte === hyphen ? hyphens + 1 : 0;
      if (hyphens === separatorHyphens) break;
      start--;
    }
    if (isPlainStart(bytes, start, floor)) {
      const end = this.#scanner.scanAddress(bytes, start);
      if (end >= 0 && end < limit && plainAfter[bytes[end] ?? 0] === 1 && isTopLevel(bytes, end)) {
        this.start = start;
        this.end = end;
        this.isDoubled = false;
        return isUserInfo(bytes, start, end, floor, limit) ? "doubtful" : "address";
      }
    }
    return this.#findOdd(bytes, sign, floor, limit);
  }

  #findOdd(bytes: Buffer, sign: number, floor: number, limit: number): Found {
    this.start = sign;
    this.end = sign + 1;
    this.isDoubled = false;
    const local = localBefore(bytes, sign, floor);
    let { start } = local;
    if (start === sign || start < sign - maxLocalSize * 2) return "none";
    const before = start > floor ? (bytes[start - 1] ?? 0) : lineFeed;
    if (before === at || local.isTemplate) return "none";
    const end = domainEnd(bytes, sign + 1, limit);
    const behind = end < limit ? (bytes[end] ?? 0) : lineFeed;
    this.end = trimmedEnd(bytes, sign + 1, end);
    if (before === backslash && this.#hasEscapes) {
      const escaped = escapeSize(bytes, start, sign);
      if (escaped > 0 && isWindowsDomain(bytes, start - 1, floor)) return "doubtful";
      start += escaped;
    }
    if (isStringPrefix(bytes, start, floor) && bytes[this.end] === quote) start += 2;
    this.start = start;
    this.isDoubled = behind === at;
    if (behind === underscore || !isTopLevel(bytes, this.end)) return "none";
    if (before === semicolon && isEscapedAmpersand(bytes, start, floor)) return "doubtful";
    const isAddress = local.hasEscapes
      ? this.#readUnescaped(bytes, start, sign)
      : this.#scanner.isAddress(bytes, start, this.end);
    if (!isAddress) return "none";
    return isUserInfo(bytes, start, this.end, floor, limit) ? "doubtful" : "address";
  }

  /** Reads an address with the escaped quotes of SQL: `o\'brien`, `o''brien`. */
  #readUnescaped(bytes: Buffer, start: number, sign: number): boolean {
    const local = latin1(bytes, start, sign).replaceAll(/\\'|''/g, "'");
    const address = Buffer.concat([Buffer.from(local, "latin1"), bytes.subarray(sign, this.end)]);
    return this.#scanner.isAddress(address, 0, address.length);
  }
}

function isPlainStart(bytes: Buffer, start: number, floor: number): boolean {
  if (bytes[start] === hyphen) return false;
  if (start === floor) return true;
  const before = bytes[start - 1] ?? 0;
  if (before === semicolon) return !isEscapedAmpersand(bytes, start, floor);
  // A quote of SQL, but not `N'`.
  if (before === quote) return start - 1 === floor || plainBefore[bytes[start - 2] ?? 0] === 1;
  return plainBefore[before] === 1;
}

type LocalPart = {
  readonly start: number;
  /** Whether it holds quotes escaped for SQL. */
  readonly hasEscapes: boolean;
  /** Whether it is a template: `${user}@example.com`. */
  readonly isTemplate: boolean;
};

/** Finds the start of the local part before an at-sign. */
function localBefore(bytes: Buffer, sign: number, floor: number): LocalPart {
  const least = Math.max(floor, sign - maxLocalSize * 2 - 1);
  let start = sign;
  let hyphens = 0;
  let hasEscapes = false;
  let isTemplate = false;
  while (start > least) {
    const byte = bytes[start - 1] ?? 0;
    if (byte === hyphen) {
      if (++hyphens === separatorHyphens) {
        start += separatorHyphens - 1;
        break;
      }
      start--;
      continue;
    }
    hyphens = 0;
    if (plainLocal[byte] === 1) {
      start--;
    } else if (byte === quote) {
      const size = quoteSize(bytes, start, sign, floor);
      if (size === 0) break;
      if (size === 2) hasEscapes = true;
      start -= size;
    } else if (byte >= 0x80) {
      const size = letterSizeBefore(bytes, start, floor);
      if (size === 0) break;
      start -= size;
    } else if (byte === equals && isReturnPath(bytes, start - 1, floor)) {
      start--;
    } else if (byte === percent && isEncodedSeparator(bytes, start)) {
      start += 2;
      break;
    } else if (innerLocal[byte] === 1) {
      start--;
    } else {
      if (byte === closeBrace) isTemplate = true;
      break;
    }
  }
  while (start < sign && leading[bytes[start] ?? 0] === 1) start++;
  return { start: withoutHyphens(bytes, start, sign, floor), hasEscapes, isTemplate };
}

/**
 * Skips the hyphens of `--jane.doe` in lists and of `-|-jane.doe` in one leak. A single hyphen may begin a local part.
 */
function withoutHyphens(bytes: Buffer, start: number, sign: number, floor: number): number {
  let end = start;
  while (end < sign && bytes[end] === hyphen) end++;
  const isSeparator = end - start > 1 || (start > floor && bytes[start - 1] === pipe);
  return isSeparator ? end : start;
}

/** Size of the quote before `end` if it belongs to the local part: 1 in `o'brien`, 2 when escaped; otherwise 0. */
function quoteSize(bytes: Buffer, end: number, sign: number, floor: number): number {
  if (end === sign || end - 2 < floor) return 0;
  const before = bytes[end - 2] ?? 0;
  if (before !== backslash && before !== quote) return isWord(before) ? 1 : 0;
  return end - 3 >= floor && isWord(bytes[end - 3] ?? 0) && isWord(bytes[end] ?? 0) ? 2 : 0;
}

function isWord(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || isLetter(byte) || byte >= 0x80;
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** Whether a string prefix begins here, as in `N'jane.doe@example.com'` or `b'...'`, and not a name like `n'golo`. */
function isStringPrefix(bytes: Buffer, start: number, floor: number): boolean {
  if (bytes[start + 1] !== quote || !"NnBbUuEeRrXx".includes(String.fromCharCode(bytes[start] ?? 0))) return false;
  return start === floor || bytes[start - 1] !== quote;
}

/**
 * Whether an `=` belongs to a bounce address that holds another address:
 * `bounce+jane.doe=example.com@lists.example.org`.
 */
function isReturnPath(bytes: Buffer, sign: number, floor: number): boolean {
  const least = Math.max(floor, sign - maxLocalSize);
  let start = sign;
  while (start > least && (plainLocal[bytes[start - 1] ?? 0] === 1 || bytes[start - 1] === equals)) start--;
  const text = latin1(bytes, start, sign);
  return text.includes("+") || /^(?:prvs|srs[01]|btv1|bounces?|return)\b/i.test(text);
}

/** Whether a percent code stands for a blank, a quote or another separator: `%20jane.doe@example.com`. */
function isEncodedSeparator(bytes: Buffer, start: number): boolean {
  return /^(?:0[9ad]|2[0267cf]|3[a-f]|5[bc]|7c)$/i.test(latin1(bytes, start, start + 2));
}

/** Size of the escape after a backslash, as in `\njane.doe`, `\u003cjane.doe` and `\x3cjane.doe`; 0 for none. */
function escapeSize(bytes: Buffer, start: number, sign: number): number {
  // An escaped backslash stands before a name: `CORP\\nina`.
  if (bytes[start - 2] === backslash) return 0;
  const text = latin1(bytes, start, Math.min(sign, start + 5));
  return /^(?:u[0-9a-f]{4}|x[0-9a-f]{2}|[nrt])/i.exec(text)?.[0].length ?? 0;
}

/** `CORP\nina.doe@example.com`: the letter may be an escape or part of the name. */
function isWindowsDomain(bytes: Buffer, sign: number, floor: number): boolean {
  return /(?:^|[^a-z0-9])[A-Z][A-Z0-9-]{1,14}$/.test(latin1(bytes, Math.max(floor, sign - 16), sign));
}

function isEscapedAmpersand(bytes: Buffer, start: number, floor: number): boolean {
  return start - 5 >= floor && bytes[start - 5] === ampersand && /^amp$/i.test(latin1(bytes, start - 4, start - 1));
}

/**
 * Whether an address is the user or the password of a URL: `https://jane.doe@example.com/`,
 * `postgres://app:secret@db.example.com`.
 */
function isUserInfo(bytes: Buffer, start: number, end: number, floor: number, limit: number): boolean {
  const before = start > floor ? bytes[start - 1] : lineFeed;
  if (before !== slash && before !== colon) return false;
  const least = Math.max(floor, start - maxUserInfo);
  let from = start;
  while (from > least && bytes[from - 1] !== slash && !isUrlEnd(bytes[from - 1] ?? 0)) from--;
  if (from - 3 < floor || bytes[from - 1] !== slash || bytes[from - 2] !== slash || bytes[from - 3] !== colon) {
    return false;
  }
  const scheme = /[a-z][a-z0-9+.-]*$/i.exec(latin1(bytes, Math.max(floor, from - 16), from - 3))?.[0] ?? "";
  if (/^mailto$/i.test(scheme)) return false;
  if (before === slash || !/^https?$/i.test(scheme)) return true;
  // `https://shop.example:jane.doe@example.com:secret` is a URL with a login after it.
  const isHost = bytes.subarray(from, start - 1).includes(dot);
  return !isHost || /^(?::\d{1,5})?[/?]/.test(latin1(bytes, end, Math.min(limit, end + maxPortSize)));
}

/** A colon, up to five digits, and the next byte. */
const maxPortSize = 7;

function isUrlEnd(byte: number): boolean {
  return byte <= 0x20 || byte === 0x22 || byte === quote || byte === 0x3c || byte === 0x3e;
}

/** The end of the bytes that may belong to a domain. Dots and hyphens at the end are included. */
function domainEnd(bytes: Buffer, start: number, limit: number): number {
  const most = Math.min(limit, start + maxDomainSize * 4);
  let end = start;
  let labelStart = start;
  let run = 0;
  while (end < most) {
    const byte = bytes[end] ?? 0;
    if (plainDomain[byte] === 1) {
      if (byte === dot) {
        labelStart = end + 1;
        run = 0;
      } else if (byte === hyphen && end > labelStart && bytes[end - 1] === hyphen && run === 0) {
        if (!isALabel(bytes, labelStart)) return end - 1;
        if (end > labelStart + 3) run = end - 1;
      }
      end++;
    } else {
      const size = byte < 0x80 ? 0 : letterSizeAt(bytes, end, most);
      if (size === 0) break;
      end += size;
    }
  }
  // No top-level domain has two hyphens in a row after its `xn--`.
  if (run > 0) return run;
  return scriptEnd(bytes, labelStart, end);
}

function isALabel(bytes: Buffer, start: number): boolean {
  return /^xn--$/i.test(latin1(bytes, start, start + 4));
}

/** Where a Latin label ends and Chinese or Russian text follows without a blank: no top-level domain mixes scripts. */
function scriptEnd(bytes: Buffer, labelStart: number, end: number): number {
  if (!isLetter(bytes[labelStart] ?? 0)) return end;
  for (let from = labelStart; from < end; from++) {
    // From U+0370 on; Latin letters with marks are below.
    if ((bytes[from] ?? 0) >= 0xcd) return from;
  }
  return end;
}

function trimmedEnd(bytes: Buffer, start: number, end: number): number {
  let trimmed = end;
  while (trimmed > start && (bytes[trimmed - 1] === dot || bytes[trimmed - 1] === hyphen)) trimmed--;
  return trimmed;
}

/** A letter, mark or digit of any script. Invalid UTF-8 counts as a letter, so that it invalidates the address. */
const letter = /^[\p{L}\p{M}\p{Nd}\ufffd]/u;

/** Size of the non-ASCII character before an offset; 0 when it is a separator. */
function letterSizeBefore(bytes: Buffer, end: number, floor: number): number {
  let start = end - 1;
  while (start > floor && start > end - 4 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start--;
  const size = letterSizeAt(bytes, start, end);
  // A shorter size leaves bytes over: the text is not UTF-8.
  return size === 0 || size === end - start ? size : 1;
}

/** Size of the non-ASCII character at an offset; 0 when it is a separator. */
function letterSizeAt(bytes: Buffer, start: number, limit: number): number {
  const first = bytes[start] ?? 0;
  const size = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
  if (size === 1 || start + size > limit) return 1;
  const second = bytes[start + 1] ?? 0;
  if (size === 2 && (second & 0xc0) === 0x80 && isLetterOfEurope(((first & 0x1f) << 6) | (second & 0x3f))) return 2;
  const text = bytes.toString("utf8", start, start + size);
  if (text.startsWith("\ufffd")) return 1;
  return letter.test(text) ? size : 0;
}

/** Fast path for most of Latin, Greek and Cyrillic. */
function isLetterOfEurope(point: number): boolean {
  if (point < 0x250) return point >= 0xc0 && point !== 0xd7 && point !== 0xf7;
  return (point >= 0x3a3 && point <= 0x3f5) || (point >= 0x400 && point <= 0x481);
}

/**
 * Whether the domain that ends here can be one of the internet or of a closed network: its last label has only letters,
 * or is of another script, and is not a file ending or a version, as in `icon@2x.png` and `left-pad@1.3.0`.
 */
export function isTopLevel(bytes: Uint8Array, end: number): boolean {
  let start = end;
  let packed = 0;
  let isLetters = true;
  while (start > 0) {
    const byte = bytes[start - 1] ?? 0;
    if (byte === dot || byte === at) break;
    if (byte >= 0x80) return true;
    if (!isLetter(byte)) isLetters = false;
    start--;
    if (end - start > 63) return false;
  }
  if (start === 0 || bytes[start - 1] === at || end - start < 2) return false;
  if (!isLetters)
    return ((bytes[start] ?? 0) | 0x20) === 0x78 && bytes[start + 2] === hyphen && bytes[start + 3] === hyphen;
  for (let from = start; from < end; from++) packed = (packed << 5) | ((bytes[from] ?? 0) & 31);
  return !packedEndings.has(packed);
}

/** Endings of files and of systemd units that are not top-level domains. */
export const fileEndings: readonly string[] = (
  "png jpg jpeg gif svg webp bmp ico tif tiff psd css js jsx ts tsx mjs cjs vue scss less html htm xhtml php asp " +
  "aspx jsp cgi xml json yml yaml toml ini cfg conf txt log sql csv tsv xls xlsx doc docx odt ppt pptx pdf rar tar gz " +
  "tgz xz zst exe dll bin dat bak old tmp swp lock jar war class pyc lib dylib apk ipa dmg iso img msi deb rpm wav ogg " +
  "flac mkv avi ttf otf woff eot service socket timer mount slice scope path device"
).split(" ");
/**
 * Endings packed at five bits per letter, so that no string is made of the bytes. Of long endings only the last letters
 * count.
 */
const packedEndings: ReadonlySet<number> = new Set(
  fileEndings.map((ending) => Buffer.from(ending).reduce((packed, byte) => (packed << 5) | (byte & 31), 0)),
);
