import type { EmailAddress } from "../../domain/email.ts";
import { addressOf } from "../address.ts";

/** A token of a line that holds an `@`: where it starts and ends, and the address that it is, or null. */
export type Token = { readonly start: number; readonly end: number; readonly address: EmailAddress | null };

/** A line may hold thousands of `@`; so many tokens with one are tried at most. */
const maxTries = 8;

/** The delimiters of local-corpus-formats.md, 2 and 5: `:;|,`, blank and TAB. */
const delimiters: ReadonlySet<number> = new Set([0x3a, 0x3b, 0x7c, 0x2c, 0x20, 0x09]);

/**
 * The next token that holds an `@`, from an offset on, or null when there is none. What is not part of such a token is
 * not looked at.
 */
export function nextToken(line: string, from: number): Token | null {
  const at = line.indexOf("@", from);
  if (at === -1) return null;
  let start = at;
  while (start > from && !delimiters.has(line.charCodeAt(start - 1))) start--;
  let end = at + 1;
  while (end < line.length && !delimiters.has(line.charCodeAt(end))) end++;
  return { start, end, address: addressOf(line.slice(start, end)) };
}

/** Text without the delimiters at its end. */
export function trimDelimiters(text: string): string {
  let end = text.length;
  while (end > 0 && delimiters.has(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end);
}

/** The first tokens of a line that hold an `@`, from left to right. */
export function tokensOf(line: string): Token[] {
  const tokens: Token[] = [];
  for (let token = nextToken(line, 0); token !== null && tokens.length < maxTries; token = nextToken(line, token.end)) {
    tokens.push(token);
  }
  return tokens;
}
