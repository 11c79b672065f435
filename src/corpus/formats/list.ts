import { addressOf } from "../address.ts";
import { noFields } from "../record.ts";
import { commonDefaults, type LineFormat, type ReadRecord } from "./format.ts";

/** Bare addresses, one per line: lists that spam is sent to. */
export const list: LineFormat = {
  name: "list",
  confidence: 0.75,
  origin: "list",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), category: "spam_list", severity: "low" }),
  readLine,
  scanLine: (line, bytes, start) => line.scanList(bytes, start),
};

/** The whole line; a comma or semicolon at its end is taken for a separator. */
function readLine(line: string): ReadRecord {
  const token = line.trim().replace(/[,;]$/, "");
  if (!token.includes("@")) return "no_email";
  const address = addressOf(token);
  return address === null ? "invalid_email" : { address, fields: noFields };
}
