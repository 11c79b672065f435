import { canonicalDomain, type EmailAddress, parseEmail } from "../domain/email.ts";

/**
 * Reads the email address in a token of a breach file; null when the token holds no address. Strips blanks, `mailto:`,
 * quotes and brackets around it and repairs nothing else (docs/corpus-formats.md).
 */
export function addressOf(token: string): EmailAddress | null {
  if (token.length > maxTokenLength) return null;
  const plain = parsePlain(token);
  if (plain !== null) return plain;
  const inner = unwrap(token);
  return parsePlain(inner) ?? parseEmail(inner);
}

/** An address has at most 254 octets; the rest is room for blanks, quotes and brackets. */
const maxTokenLength = 1024;

/**
 * Ordinary ASCII addresses, whose canonical form is the lower-cased text. This test costs 0.1 us; `parseEmail` costs 7
 * us, most of it for UTS-46. Names with `xn--` go to `parseEmail`, which also checks the decoded form.
 */
const plainAddress = /^[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{1,63}$/;
const plainDomain = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{1,63}$/;

function parsePlain(token: string): EmailAddress | null {
  const text = token.toLowerCase();
  if (text.length > 254 || text.indexOf("@") > 64 || text.includes("xn--")) return null;
  return plainAddress.test(text) && isAscii(token) ? toAddress(text) : null;
}

/** Checks the text before lower-casing, which turns some non-ASCII letters into ASCII (the Kelvin sign becomes `k`). */
function isAscii(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text);
}

/** Casts: the pattern above has validated the text. */
function toAddress(text: string): EmailAddress {
  return text as EmailAddress;
}

/** The canonical form of a domain, or null. Ordinary ASCII domains take a fast path, as in `addressOf`. */
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

/** Trims blanks at both ends; U+FEFF, U+200B, U+00A0 and NUL count as blanks (docs/pipeline.md 21.6). */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && blanks.has(text.charCodeAt(start))) start++;
  while (end > start && blanks.has(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const blanks: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0x00, 0xa0, 0x200b, 0xfeff]);
