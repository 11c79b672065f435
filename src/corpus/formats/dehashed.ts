import * as z from "zod/mini";
import { peek } from "../input/peek.ts";
import { type RowCells, readCsv } from "./csv.ts";
import { commonDefaults, type ReadRecord, recordOf, type StreamFormat } from "./format.ts";
import { type JsonPiece, parseJson, readJsonArrays } from "./json-arrays.ts";

/** Exports of DeHashed: CSV, or the JSON of its API (local-corpus-formats.md, 6). A record is one address of an entry. */
export const dehashed: StreamFormat = {
  name: "dehashed",
  confidence: 0.75,
  origin: "dehashed",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), subjectTitle: { before: "Present in ", after: "" } }),
  async *read(chunks) {
    const { head, chunks: all } = await peek(chunks, 1024);
    if (!head.toString("latin1").trimStart().startsWith("{")) {
      yield* readCsv(all, readRow);
      return;
    }
    for await (const pieces of readJsonArrays(all)) yield pieces.flatMap(readPiece);
  },
};

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
