import * as z from "zod/mini";
import { columnName, type RowCells, separatorOf } from "./csv.ts";
import { cellsOf } from "./csv-rows.ts";
import { commonDefaults, type Format, type Plan, type ReadRecord, recordOf } from "./format.ts";
import { type JsonPiece, parseJson } from "./json-arrays.ts";
import { jsonOrCsv } from "./json-or-csv.ts";
import type { Sample } from "./sample.ts";

/** Exports of DeHashed: CSV, or the JSON of its API (local-corpus-formats.md, 6). A record is one address of an entry. */
export const dehashed: Format = {
  name: "dehashed",
  confidence: 0.75,
  origin: "dehashed",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), subjectTitle: { before: "Present in ", after: "" } }),
  recognises: (sample) => (isDehashed(sample) ? plan : null),
  plan: () => plan,
  cut: null,
  open: (_plan, sink) => jsonOrCsv(sink, readPiece, (cell) => readRow(cell)),
};

const plan: Plan = { format: "dehashed", columns: [] };

function isDehashed({ text, lines }: Sample): boolean {
  if (text.trimStart().startsWith("{")) return /"entries"\s*:\s*\[/.test(text);
  const names = cellsOf(lines[0] ?? "", separatorOf(lines[0] ?? "")).map(columnName);
  return names.includes("email") && names.includes("databasename") && names.includes("hashedpassword");
}

/** Tools flatten several addresses into one cell. */
function readRow(cell: RowCells): ReadRecord[] {
  return readEntry((cell("email") ?? "").split(","), cell("databasename") ?? "");
}

const entrySchema = z.object({
  email: z.nullish(z.union([z.string(), z.array(z.string())])),
  database_name: z.nullish(z.string()),
});

function readPiece({ key, text, isElement }: JsonPiece): ReadRecord[] {
  // Beside the entries stand the balance, the time taken and the total.
  if (key !== "entries" || !isElement) return [];
  if (text === null) return ["too_long"];
  const parsed = entrySchema.safeParse(parseJson(text));
  if (!parsed.success) return ["malformed"];
  return readEntry([parsed.data.email ?? ""].flat(), parsed.data.database_name ?? "");
}

function readEntry(cells: readonly string[], database: string): ReadRecord[] {
  // Some exports escape with stray backslashes.
  const emails = cells.map((cell) => cell.replaceAll("\\", "").trim()).filter((email) => email !== "");
  if (emails.length === 0) return ["no_email"];
  return emails.map((email) => recordOf(email, { subject: database }));
}
