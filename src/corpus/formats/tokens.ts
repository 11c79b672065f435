import { addressOf } from "../address.ts";

/** A token of a line that holds an `@`, and where it starts and ends. */
export type Token = { readonly text: string; readonly start: number; readonly end: number };

/** A line may hold thousands of `@`; so many tokens with one are tried at most. */
const maxTries = 8;
const isDelimiter = /[:;|,\s]/;

/**
 * The first tokens of a line that hold an `@`, from left to right: what stands between the delimiters of
 * local-corpus-formats.md, 2 and 5. What is not part of such a token is not looked at.
 */
export function* tokensWithAt(line: string): Generator<Token> {
  let from = 0;
  for (let count = 0; count < maxTries; count++) {
    const at = line.indexOf("@", from);
    if (at === -1) return;
    let start = at;
    while (start > from && !isDelimiter.test(line.charAt(start - 1))) start--;
    let end = at + 1;
    while (end < line.length && !isDelimiter.test(line.charAt(end))) end++;
    yield { text: line.slice(start, end), start, end };
    from = end;
  }
}

/** True when a token is an address. */
export function isAddress({ text }: Token): boolean {
  return addressOf(text) !== null;
}
