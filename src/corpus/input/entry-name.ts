import { oneLine } from "../../domain/text.ts";

const maxLength = 255;
/** More of a path is not looked at; the system's own limit is 4096 bytes. */
const maxRead = 8192;

/**
 * The sign of an address as names of files hold it: plain, full-width, small, and percent-encoded (once or more often,
 * also the three bytes of the full-width form).
 */
const at = /@|\uff20|\ufe6b|%(?:25)*40|%(?:25)*EF%(?:25)*BC%(?:25)*A0/gi;

/** What an address can be a part of: a word, in the widest sense. Too much is better than too little. */
const word = /[^\s/\\<>"|]+/g;

/**
 * A name of a file, a folder or an entry, fit to be stored and shown: addresses in it become `…@domain`, and it is one
 * line of at most 255 UTF-16 units without control, format and direction marks. `-` when nothing is left. It changes
 * nothing when it is called again on its own result.
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
  // A sign with nothing before it begins the name of a channel.
  return sign > 0 && /[^@]/.test(word.slice(0, sign)) ? `…${word.slice(sign)}` : word;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a name on disk. What is not UTF-8 is shown with replacement characters; the file is opened by its bytes. */
export function diskName(bytes: Buffer): string {
  return bytes.toString("utf8");
}

/** The upper half of code page 437, in which names in .zip archives are that do not say otherwise. */
const page437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** The text of a name in an archive: in UTF-8 when it is well-formed, in code page 437 otherwise. */
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
