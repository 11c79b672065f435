import { CorpusError } from "../error.ts";
import { isAbsent, type ParsedFields, parseFields, type RawFields } from "../record.ts";
import { columnName, isFieldName } from "./column-names.ts";
import { isEvidenceNames } from "./evidence.ts";
import {
  commonDefaults,
  type Format,
  type OptionalField,
  optionalFields,
  type Plan,
  type RecordReader,
  type RecordSink,
  type Wishes,
} from "./format.ts";
import { isObject, type JsonObject } from "./json-addresses.ts";
import { type JsonLayout, jsonLineReader, jsonStreamReader } from "./json-reader.ts";
import type { JsonRules } from "./json-records.ts";
import { JsonScanner } from "./json-scanner.ts";
import { type JsonShape, jsonLayoutOf, jsonShapeOf } from "./json-shape.ts";
import { cutAtLineEnd } from "./line-format.ts";
import type { Sample } from "./sample.ts";

/** JSON of any layout, both evidence and other records (docs/pipeline.md 21.5). */
export const jsonl: Format<JsonPlan> = {
  name: "jsonl",
  confidence: 0.75,
  origin: null,
  defaultsFor: commonDefaults,
  recognises: (sample, wishes) => {
    const shape = jsonShapeOf(sample);
    return shape !== null && speaksForRecords(shape, sample) ? planOf(shape.layout, wishes) : null;
  },
  plan: (sample, wishes) => planOf(jsonLayoutOf(sample), wishes),
  cut: cutAtLineEnd,
  open: openReader,
};

type JsonPlan = Plan & {
  readonly format: "jsonl";
  readonly layout: JsonLayout;
  readonly column: string | null;
  /** Fields to import from records that are not evidence. */
  readonly fields: readonly OptionalField[];
};

function planOf(layout: JsonLayout, { column, fields }: Wishes): JsonPlan {
  if (column !== null && /^\d+$/.test(column.trim())) {
    throw new CorpusError("refused", "--column wants the name of a member: JSON has no numbered columns");
  }
  return {
    format: "jsonl",
    // The name as given by the operator.
    columns: column === null ? [] : [column],
    isOrdered: layout !== "lines",
    layout,
    column: column === null ? null : columnName(column),
    fields,
  };
}

/** Without an address in its first 64 KiB, a JSON text may be the settings of a program. */
function speaksForRecords({ hasAddress }: JsonShape, { ending }: Sample): boolean {
  return hasAddress || ending === "jsonl" || ending === "ndjson";
}

function openReader({ layout, column, fields }: JsonPlan, sink: RecordSink): RecordReader {
  const rules: JsonRules = { column, fieldsOf: (record, isWhole) => fieldsOf(record, isWhole, fields) };
  const scanner = column === null && fields.length === 0 ? new JsonScanner(sink) : null;
  if (layout === "lines") return jsonLineReader(sink, rules, scanner);
  return jsonStreamReader(sink, rules, { layout, scanner });
}

/** The fields of a record: all for evidence, otherwise the date and those named by the operator. */
function fieldsOf(record: JsonObject, isWhole: boolean, wished: readonly OptionalField[]): ParsedFields {
  const members = new Map<string, unknown>();
  // If two members have the same name, the first counts, as in CSV.
  for (const [name, value] of Object.entries(record)) {
    const column = columnName(name);
    if (!members.has(column)) members.set(column, value);
  }
  const isEvidence = isWhole && isEvidenceNames([...members.keys()]);
  const taken = isEvidence ? optionalFields : ["date" as const, ...wished];
  let unusableCount = 0;
  const raw: Record<string, string | null> = {};
  for (const field of taken) {
    const column = columnName(field);
    if (!isFieldName(column) || !members.has(column)) continue;
    const value = members.get(column);
    const text = field === "date" ? dateText(value) : textOf(value);
    if (text === undefined) unusableCount++;
    else raw[field] = text;
  }
  const { fields, droppedCount } = parseFields(raw satisfies RawFields);
  return { fields, droppedCount: droppedCount + unusableCount };
}

/** Undefined for a value that is not text. Null is kept, because a severity of null has a meaning. */
function textOf(value: unknown): string | null | undefined {
  if (value === null) return null;
  if (typeof value === "string") return isAbsent(value) ? "" : value;
  return undefined;
}

/** Also accepts numbers and the dates of MongoDB: `{"$date":"..."}`, `{"$date":{"$numberLong":"..."}}`. */
function dateText(value: unknown): string | null | undefined {
  if (typeof value === "number") return String(value);
  if (isObject(value)) return dateText(value["$date"] ?? value["$numberLong"]);
  return textOf(value);
}
