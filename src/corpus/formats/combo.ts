import { noFields } from "../record.ts";
import { commonDefaults, type Format, type ReadRecord } from "./format.ts";
import { readRecordLines } from "./lines.ts";
import { isAddress, tokensWithAt } from "./tokens.ts";

/** Combo lists: `email<delimiter>secret`, also swapped (local-corpus-formats.md, 2). */
export const combo: Format = {
  name: "combo",
  confidence: 0.5,
  origin: "combo",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), category: "credential_leak", subject: "any-credential" }),
  read: (chunks) => readRecordLines(chunks, readLine),
};

/** The first token that is an address. What follows it is the secret and is not read. */
function readLine(line: string): ReadRecord {
  let firstToken: string | null = null;
  for (const token of tokensWithAt(line)) {
    if (isAddress(token)) return { email: token.text, fields: noFields };
    firstToken ??= token.text;
  }
  return firstToken === null ? "no_email" : { email: firstToken, fields: noFields };
}
