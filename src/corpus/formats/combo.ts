import { addressOf } from "../address.ts";
import { noFields } from "../record.ts";
import { commonDefaults, type Format, type ReadRecord } from "./format.ts";
import { readLines } from "./lines.ts";

/** Combo lists: `email<delimiter>secret`, also swapped (local-corpus-formats.md, 2). */
export const combo: Format = {
  name: "combo",
  confidence: 0.5,
  origin: "combo",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), category: "credential_leak", subject: "any-credential" }),
  async *read(chunks) {
    for await (const lines of readLines(chunks)) {
      yield lines.map((line) => (line === "too_long" ? "too_long" : readLine(line)));
    }
  },
};

/** A line may hold thousands of `@`: only the first tokens with one are tried. */
const maxTries = 8;
const delimiters = /[:;|\t, ]/;

/** The first token that is an address; nothing right of it is read, so no secret is ever split. */
function readLine(line: Buffer): ReadRecord {
  const text = line.toString("utf8");
  let candidate: string | null = null;
  let tryCount = 0;
  for (const token of tokensWithAt(text)) {
    if (addressOf(token) !== null) return { email: token, fields: noFields };
    candidate ??= token;
    if (++tryCount === maxTries) break;
  }
  return candidate === null ? "no_email" : { email: candidate, fields: noFields };
}

/** The tokens that hold an `@`, from left to right. */
function* tokensWithAt(text: string): Generator<string> {
  let start = 0;
  for (let at = text.indexOf("@"); at !== -1; at = text.indexOf("@", start)) {
    while (at > start && !delimiters.test(text.charAt(at - 1))) at--;
    const length = text.slice(at).search(delimiters);
    const end = length === -1 ? text.length : at + length;
    yield text.slice(at, end);
    start = end;
  }
}
