import { oneLine } from "../../domain/text.ts";

const maxLength = 255;
/** The part of a path that is examined; Linux limits paths to 4096 bytes. */
const maxRead = 8192;

/**
 * The at-sign of an address in file names: plain, full-width, small, and percent-encoded (once or several times; also
 * the three bytes of the full-width form).
 */
const at = /@|\uff20|\ufe6b|%(?:25)*40|%(?:25)*EF%(?:25)*BC%(?:25)*A0/gi;

/** A run of characters that may contain an address. Wide on purpose: matching too much is safer than too little. */
const word = /[^\s/\\<>"|]+/g;

/**
 * Makes the name of a file, folder or entry safe to store and show. Addresses in it become `…@domain`. The result is
 * one line of at most 255 UTF-16 units without control, format and direction characters; `-` when nothing is left.
 * Idempotent.
 */
export function safeName(text: string): string {
  const plain = text
    .slice(0, maxRead)
    .toWellFormed()
    .replace(/\p{Cf}/gu, "")
    .replace(at, "@")
    .replace(/\p{Cc}*@\p{Cc}*/gu, "@");
  return oneLine(plain.replace(word, withoutAddress), maxLength) || "-";
}

function withoutAddress(word: string): string {
  let end = word.length;
  while (word[end - 1] === "@") end--;
  const sign = word.lastIndexOf("@", end - 1);
  // A sign without text before it begins a channel name, not an address.
  return sign > 0 && /[^@]/.test(word.slice(0, sign)) ? `…${word.slice(sign)}` : word;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The text of a name on disk. Bytes that are not UTF-8 become replacement characters; the file is opened by its bytes.
 */
export function diskName(bytes: Buffer): string {
  return bytes.toString("utf8");
}

/** The upper half of code page 437, the default encoding of names in .zip archives. */
const page437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** The text of a name in an archive: UTF-8 if well-formed, otherwise code page 437. */
export function archiveName(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : page437[byte - 0x80])).join("");
  }
}

/** The last part of a path. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
