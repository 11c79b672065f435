import * as z from "zod/mini";
import { columnName } from "./csv.ts";
import { commonDefaults, type Format, type Plan, type ReadRecord, recordOf } from "./format.ts";
import { cutAtLineEnd, lineReader } from "./line-format.ts";
import type { Sample } from "./sample.ts";

/** One JSON object per line; the members are those of CONTRACT.md 11.4. */
export const jsonl: Format = {
  name: "jsonl",
  confidence: 0.75,
  origin: null,
  defaultsFor: commonDefaults,
  recognises: (sample) => (isJsonLines(sample) ? plan : null),
  plan: () => plan,
  cut: cutAtLineEnd,
  open: (_plan, sink) => lineReader({ readLine: readObject, scanLine: null }, sink),
};

const plan: Plan = { format: "jsonl", columns: [] };

function isJsonLines({ ending, lines, text }: Sample): boolean {
  return (
    ending === "jsonl" ||
    ending === "ndjson" ||
    (text.trimStart().startsWith("{") && parseObject(lines[0] ?? "") !== null)
  );
}

const text = z.nullish(z.string());
const recordSchema = z.object({
  email: text,
  category: text,
  severity: text,
  title: text,
  subject: text,
  sourceurl: text,
  // A year is easily written as a number.
  date: z.nullish(z.union([z.string(), z.pipe(z.int(), z.transform(String))])),
});

function readObject(line: string): ReadRecord {
  const object = parseObject(line);
  if (object === null) return "malformed";
  const parsed = recordSchema.safeParse(namedMembers(object));
  if (!parsed.success) return "malformed";
  const { email, sourceurl, ...rest } = parsed.data;
  return recordOf(email ?? "", { ...rest, source_url: sourceurl });
}

function parseObject(line: string): object | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** Members by the name of the column they stand for; the first of two counts, as in CSV. */
function namedMembers(object: object): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) {
    const name = columnName(key);
    if (!Object.hasOwn(members, name)) members[name] = value;
  }
  return members;
}
