import { canonicalDomain, type EmailAddress, parseEmail } from "../domain/email.ts";

/**
 * The address in a token of a breach file, or null. A token is taken out of blanks, `mailto:`, quotes and brackets;
 * nothing else is repaired (docs/corpus-formats.md).
 */
export function addressOf(token: string): EmailAddress | null {
  if (token.length > maxTokenLength) return null;
  const plain = parsePlain(token);
  if (plain !== null) return plain;
  const inner = unwrap(token);
  return parsePlain(inner) ?? parseEmail(inner);
}

/** An address has at most 254 octets; the rest is room for blanks and wrapping. */
const maxTokenLength = 1024;

/**
 * ASCII addresses of the usual form, where the canonical form is the lower-cased text: `parseEmail` costs 7 us, mostly
 * UTS-46, this costs 0.1 us. `xn--` is left to `parseEmail`, which checks what it decodes to.
 */
const plainAddress = /^[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{1,63}$/;
const plainDomain = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{1,63}$/;

function parsePlain(token: string): EmailAddress | null {
  const text = token.toLowerCase();
  if (text.length > 254 || text.indexOf("@") > 64 || text.includes("xn--")) return null;
  return plainAddress.test(text) && isAscii(token) ? toAddress(text) : null;
}

/** Lower-casing turns some letters of other scripts into ASCII (the Kelvin sign becomes `k`). */
function isAscii(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text);
}

/** The brand of a text that the pattern above has parsed. */
function toAddress(text: string): EmailAddress {
  return text as EmailAddress;
}

/** A domain in its canonical form, or null; fast for those of the usual form, like `addressOf`. */
export function domainOf(text: string): string | null {
  const domain = text.toLowerCase();
  const isPlain = domain.length <= 253 && !domain.includes("xn--") && plainDomain.test(domain) && isAscii(text);
  return isPlain ? domain : canonicalDomain(text);
}

const wrappers: Readonly<Record<string, string>> = { '"': '"', "'": "'", "`": "`", "<": ">", "[": "]", "(": ")" };
const maxWrappers = 6;

function unwrap(token: string): string {
  let text = trimBlanks(token);
  for (let round = 0; round < maxWrappers; round++) {
    const closing = wrappers[text.charAt(0)];
    if (closing !== undefined && text.length > 1 && text.endsWith(closing)) text = trimBlanks(text.slice(1, -1));
    else if (/^mailto:/i.test(text)) text = trimBlanks(text.slice("mailto:".length));
    else break;
  }
  return text;
}

/** Text without blanks at its ends; U+FEFF, U+200B, U+00A0 and NUL are blanks here (docs/pipeline.md 21.6). */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && blanks.has(text.charCodeAt(start))) start++;
  while (end > start && blanks.has(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const blanks: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0x00, 0xa0, 0x200b, 0xfeff]);
