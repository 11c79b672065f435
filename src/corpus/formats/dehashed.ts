import { isSensitiveName } from "../../domain/sensitive-site.ts";
import { CorpusError } from "../error.ts";
import { isAbsent, type ParsedFields, parseFields } from "../record.ts";
import { addressColumnsOf, columnByWish, labelOf } from "./address-columns.ts";
import { columnName } from "./column-names.ts";
import { cutTable, type Row, type TablePlan, tablePlanOf, tableReader } from "./csv-reader.ts";
import { type CsvTable, tableOf } from "./csv-table.ts";
import { commonDefaults, type Format, type Plan, type RecordReader, type RecordSink, type Wishes } from "./format.ts";
import { isObject, type JsonObject } from "./json-addresses.ts";
import { type JsonLayout, jsonLineReader, jsonStreamReader } from "./json-reader.ts";
import { jsonShapeOf } from "./json-shape.ts";
import { cutAtLineEnd } from "./line-format.ts";
import type { Sample } from "./sample.ts";

/** Exports of DeHashed: CSV, or the JSON of its API (docs/corpus-formats.md 6). A record is one address of an entry. */
export const dehashed: Format<DehashedPlan> = {
  name: "dehashed",
  confidence: 0.75,
  origin: "dehashed",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), subjectTitle: { before: "Present in ", after: "" } }),
  recognises: (sample, wishes) => (isDehashed(sample) ? planOf(sample, wishes) : null),
  plan: (sample, wishes) => planOf(sample, wishes) ?? refuse(),
  cut: (bytes, start, end, { table }, isFirst = false) =>
    table === null ? cutAtLineEnd(bytes, start, end) : cutTable(bytes, start, end, table, isFirst),
  open: (plan, sink, isFirst) => openReader(plan, sink, isFirst),
};

type DehashedPlan = Plan & {
  /** How to read a CSV, with the column that names the leak; null for JSON. */
  readonly table: (TablePlan & { readonly database: number }) | null;
  readonly layout: JsonLayout;
};

const databaseName = "databasename";
/** Two of these names beside the leak name identify an export. */
const ownNames: ReadonlySet<string> = new Set(
  "id username password hashedpassword name vin address phone ipaddress".split(" "),
);

function isDehashed(sample: Sample): boolean {
  const shape = jsonShapeOf(sample);
  if (shape !== null) return shape.values.slice(0, maxValues).some((value) => holdsEntry(value, 0));
  const table = tableOf(sample);
  const names = table?.header?.map(columnName) ?? [];
  return isEntry(names) && names.filter((name) => ownNames.has(name)).length >= 2;
}

const maxValues = 20;
/** Entries are inside the answer, and a file may hold several answers. */
const maxDepth = 3;

function holdsEntry(value: unknown, depth: number): boolean {
  if (depth > maxDepth || typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.slice(0, maxValues).some((one) => holdsEntry(one, depth + 1));
  const names = Object.keys(value);
  if (isEntry(names.map(columnName)) || (names.includes("balance") && names.includes("entries"))) return true;
  return isObject(value) && holdsEntry(value["entries"], depth + 1);
}

function isEntry(names: readonly string[]): boolean {
  return names.includes(databaseName) && names.includes("email");
}

function planOf(sample: Sample, wishes: Wishes): DehashedPlan | null {
  const shape = jsonShapeOf(sample);
  const plan = { format: "dehashed" as const, columns: [] };
  if (shape !== null) return { ...plan, isOrdered: shape.layout !== "lines", table: null, layout: shape.layout };
  const table = tableOf(sample);
  if (table === null) return null;
  const addressColumns = addressColumnsIn(table, wishes);
  const database = table.header?.map(columnName).indexOf(databaseName) ?? -1;
  if (addressColumns.length === 0) return null;
  return {
    ...plan,
    columns: [...addressColumns.slice(0, 1), ...(database === -1 ? [] : [database])].map((at) => labelOf(table, at)),
    table: { ...tablePlanOf(table, addressColumns), database },
    layout: "lines",
  };
}

function addressColumnsIn(table: CsvTable, { column }: Wishes): number[] {
  if (column !== null) return [columnByWish(table, column)];
  const email = table.header?.map(columnName).indexOf("email") ?? -1;
  return email === -1 ? addressColumnsOf(table) : [email];
}

function refuse(): never {
  throw new CorpusError(
    "refused",
    "the file is not an export of DeHashed: neither its JSON nor a table with email addresses",
  );
}

function openReader({ table, layout }: DehashedPlan, sink: RecordSink, isFirst: boolean): RecordReader {
  if (table !== null)
    return tableReader(table, sink, isFirst, { readRow: (row) => readRow(row, table.database, sink) });
  const rules = { column: null, fieldsOf: (entry: JsonObject) => leakFields(entry["database_name"]) };
  return layout === "lines"
    ? jsonLineReader(sink, rules, null)
    : jsonStreamReader(sink, rules, { layout, scanner: null });
}

function readRow({ cell, addresses, isShifted }: Row, database: number, sink: RecordSink): void {
  if (typeof addresses === "string") {
    sink.add(addresses);
    return;
  }
  // In a shifted row the cell may hold any value.
  const { fields, droppedCount } = isShifted ? { fields: {}, droppedCount: 1 } : leakFields(cell(database));
  for (const [index, address] of addresses.entries()) {
    sink.add({ address, fields, droppedCount: index === 0 ? droppedCount : 0 });
  }
}

/** The name of a leak, such as `Collection #1`: words with at least one letter that do not look like a secret. */
const leakName = /^(?=.*\p{L})[\p{L}\p{N}][\p{L}\p{M}\p{N} ._#&'()+,:!/-]{0,99}$/u;
const maxWords = 10;

/** Keeps only text that looks like a leak name (docs/pipeline.md 21.4). The record is imported in any case. */
function leakFields(value: unknown): ParsedFields {
  const text = typeof value === "string" ? value.trim() : "";
  if (isAbsent(text)) return { fields: {}, droppedCount: 0 };
  const isName = leakName.test(text) && text.split(/\s+/).length <= maxWords && !isSensitiveName(text);
  return isName ? parseFields({ subject: text }) : { fields: {}, droppedCount: 1 };
}
