import { addressOf } from "../address.ts";
import { noFields } from "../record.ts";
import { commonDefaults, type Format, type Plan, type ReadRecord } from "./format.ts";
import { cutAtLineEnd, type LineRules, lineReader } from "./line-format.ts";
import { lineFormatOf } from "./line-votes.ts";

/** Bare addresses, one per line: lists that spam is sent to. */
export const list: Format = {
  name: "list",
  confidence: 0.75,
  origin: "list",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), category: "spam_list", severity: "low" }),
  recognises: (sample) => (lineFormatOf(sample.lines) === "list" ? plan : null),
  plan: () => plan,
  cut: cutAtLineEnd,
  open: (_plan, sink) => lineReader(rules, sink),
};

const plan: Plan = { format: "list", columns: [] };
const rules: LineRules = { readLine, scanLine: (line, bytes, start) => line.scanList(bytes, start) };

/** The whole line; a comma or semicolon at its end is taken for a separator. */
function readLine(line: string): ReadRecord {
  const token = line.trim().replace(/[,;]$/, "");
  if (!token.includes("@")) return "no_email";
  const address = addressOf(token);
  return address === null ? "invalid_email" : { address, fields: noFields, droppedCount: 0 };
}
