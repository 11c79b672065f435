import { noFields } from "../record.ts";
import { commonDefaults, type Format, type Plan, type ReadRecord } from "./format.ts";
import { cutAtLineEnd, type LineRules, lineReader } from "./line-format.ts";
import { lineFormatOf } from "./line-votes.ts";
import { nextToken, tokensOf } from "./tokens.ts";

/** Combo lists: `email<delimiter>secret`, also swapped (local-corpus-formats.md, 2). */
export const combo: Format = {
  name: "combo",
  confidence: 0.5,
  origin: "combo",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), category: "credential_leak", subject: "any-credential" }),
  recognises: (sample) => (lineFormatOf(sample.lines) === "combo" ? plan : null),
  plan: () => plan,
  cut: cutAtLineEnd,
  open: (_plan, sink) => lineReader(rules, sink),
};

const plan: Plan = { format: "combo", columns: [] };
const rules: LineRules = { readLine, scanLine: (line, bytes, start) => line.scanCombo(bytes, start) };

/** The first token that is an address. What follows it is the secret and is not read. */
function readLine(line: string): ReadRecord {
  const first = nextToken(line, 0);
  if (first === null) return "no_email";
  const address = first.address ?? tokensOf(line).find((token) => token.address !== null)?.address ?? null;
  return address === null ? "invalid_email" : { address, fields: noFields, droppedCount: 0 };
}
