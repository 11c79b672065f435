import * as z from "zod/mini";
import {
  categorySlug,
  type Finding,
  makeFinding,
  parseSeverity,
  type Severity,
  severities,
  usableUrl,
} from "../domain/finding.ts";
import { namesSensitiveSite } from "../domain/sensitive-site.ts";
import { oneLine } from "../domain/text.ts";
import { parseLeakYear } from "../domain/time.ts";
import { readDate } from "./record-date.ts";
import { mayHoldSecret, mayUrlHoldSecret } from "./secret-like.ts";

/**
 * Fields kept of a record beside its address, repaired and bounded. They are stored in this order so that the more
 * severe records of an address come first.
 */
const fieldsSchema = () =>
  z.object({
    severity: z.optional(z.enum(severities)),
    category: z.optional(z.string()),
    subject: z.optional(z.string()),
    title: z.optional(z.string()),
    sourceUrl: z.optional(z.string()),
    /** `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. */
    date: z.optional(z.string()),
  });
export type RecordFields = z.infer<ReturnType<typeof fieldsSchema>>;

/**
 * A template: the fields, the format if it differs from that of the file, and the number of the entry in an archive or
 * folder.
 */
const templateSchema = z.lazy(() =>
  z.extend(fieldsSchema(), { format: z.optional(z.string()), entry: z.optional(z.int()) }),
);

/** Values for records of an import that lack their own. */
const defaultsSchema = () =>
  z.object({
    severity: z.enum(severities),
    category: z.string(),
    subject: z.string(),
    title: z.string(),
    date: z.nullable(z.string()),
    /** Text around the subject that makes the title of a record with a subject and no title; null = use `title`. */
    subjectTitle: z.nullable(z.object({ before: z.string(), after: z.string() })),
  });
export type RecordDefaults = z.infer<ReturnType<typeof defaultsSchema>>;

/** A format used in an import, with its defaults. */
const importFormatSchema = () => z.object({ format: z.string(), defaults: defaultsSchema() });

/**
 * The description of an import inside a segment: enough to read its records without the database. Segments written
 * before version 0.2 have one format for all files and no `formats`.
 */
export const importInfoSchema = () =>
  z.extend(importFormatSchema(), {
    corpus: z.string(),
    file: z.string(),
    /** Names of the files in an archive or folder, in reading order; empty for a single file. */
    entries: z.array(z.string()),
    /** Further formats, when the files of an archive or folder, or the records of a file, differ in format. */
    formats: z.optional(z.array(importFormatSchema())),
    /** For each entry the position of its format in `formats`; -1 = the format of the import itself. */
    entryFormats: z.optional(z.array(z.int())),
  });
export type ImportInfo = z.infer<ReturnType<typeof importInfoSchema>>;

/** The fields of a record that has none. */
export const noFields: RecordFields = Object.freeze({});
const noTemplate: z.infer<typeof templateSchema> = noFields;

/** Text of a record as found in the file. Null and undefined are absent, except that a severity of null means `low`. */
export type RawFields = {
  readonly category?: string | null | undefined;
  readonly severity?: string | null | undefined;
  readonly title?: string | null | undefined;
  readonly subject?: string | null | undefined;
  readonly source_url?: string | null | undefined;
  readonly date?: string | null | undefined;
};

/** The fields kept of a record, and the number of dropped fields. */
export type ParsedFields = { readonly fields: RecordFields; readonly droppedCount: number };

/**
 * Repairs and bounds the fields of a record. Empty text counts as absent; a severity of null is `low` (docs/contract.md
 * 7.4). Drops and counts a field that is unusable (such as an invalid date), that is too long for its kind, or that may
 * hold an address, a secret or a sensitive site (docs/pipeline.md 21.4, 21.17, 21.18).
 */
export function parseFields(raw: RawFields): ParsedFields {
  let droppedCount = 0;
  const kept = <Value>(given: string | null | undefined, value: Value | undefined): Value | undefined => {
    if (value === undefined && !isAbsent(given)) droppedCount++;
    return value;
  };
  const fields: RecordFields = {
    severity: raw.severity === null ? "low" : severityOf(raw.severity),
    category: kept(raw.category, categoryOf(raw.category)),
    subject: kept(raw.subject, textOf(raw.subject, 253)),
    title: kept(raw.title, textOf(raw.title, 255)),
    sourceUrl: kept(raw.source_url, urlOf(raw.source_url)),
    date: kept(raw.date, readDate(raw.date ?? "") ?? undefined),
  };
  return { fields, droppedCount };
}

/** A longer text is not a name or a title (docs/pipeline.md 21.4). */
const maxTextLength = 255;

function textOf(text: string | null | undefined, maxLength: number): string | undefined {
  if (isAbsent(text)) return undefined;
  const plain = (text ?? "").trim();
  // Check the whole text before cutting it: a cut could hide half of an address.
  if (plain.length > maxTextLength || mayHoldSecret(plain) || namesSensitiveSite(plain)) return undefined;
  return oneLine(plain, maxLength) || undefined;
}

/** A category consists of words. */
function categoryOf(text: string | null | undefined): string | undefined {
  const words = textOf(text, 50);
  return words === undefined || !/^\p{L}[\p{L}\p{M} _&/-]*$/u.test(words)
    ? undefined
    : categorySlug(words) || undefined;
}

function urlOf(text: string | null | undefined): string | undefined {
  const url = usableUrl(text ?? null);
  return url === null || url.length > maxTextLength || mayUrlHoldSecret(url) || namesSensitiveSite(url)
    ? undefined
    : url;
}

function severityOf(word: string | undefined): Severity | undefined {
  return isAbsent(word) ? undefined : parseSeverity(word ?? "");
}

const nullWords: ReadonlySet<string> = new Set(
  [
    "",
    "\\n",
    "null",
    "(null)",
    "<null>",
    "none",
    "nil",
    "nan",
    "n/a",
    "na",
    "-",
    "--",
    "undefined",
    "0000-00-00",
  ].concat("0000-00-00 00:00:00"),
);

/** Whether a cell is empty: no text, or a word that databases and tools write for "no value". */
export function isAbsent(text: string | null | undefined): boolean {
  return text === undefined || text === null || (text.length <= 24 && nullWords.has(text.trim().toLowerCase()));
}

/** The stored form: compact JSON of the fields that differ from the defaults; empty when all are equal. */
export function encodeFields(fields: RecordFields, defaults: RecordDefaults): string {
  if (fields === noFields) return "";
  const { severity, category, subject, title, sourceUrl, date } = fields;
  // Keep a subject that is used for the title, even if it equals the default.
  const isSubjectKept = defaults.subjectTitle !== null || subject !== defaults.subject;
  const text = JSON.stringify({
    severity: severity === defaults.severity ? undefined : severity,
    category: category === defaults.category ? undefined : category,
    subject: isSubjectKept ? subject : undefined,
    title: title === defaults.title && (subject === undefined || defaults.subjectTitle === null) ? undefined : title,
    sourceUrl,
    date: date === defaults.date ? undefined : date,
  });
  return text === "{}" ? "" : text;
}

/** Adds to the text of `encodeFields` the format of a record that differs from that of its file. */
export function encodeFormat(fields: string, format: string): string {
  return fields === "" ? `{"format":"${format}"}` : `${fields.slice(0, -1)},"format":"${format}"}`;
}

/** Adds to the text of `encodeFields` or `encodeFormat` the number of the entry; null for a single file. */
export function encodeTemplate(fields: string, entry: number | null): string {
  if (entry === null) return fields;
  return fields === "" ? `{"entry":${entry}}` : `${fields.slice(0, -1)},"entry":${entry}}`;
}

/** The finding of a template. Throws when `template` was not made by `encodeTemplate`. */
export function toFinding(template: string, info: ImportInfo): Finding {
  const fields = template === "" ? noTemplate : templateSchema.parse(JSON.parse(template));
  const { format, defaults } =
    (fields.format === undefined
      ? undefined
      : [info, ...(info.formats ?? [])].find((one) => one.format === fields.format)) ??
    info.formats?.[info.entryFormats?.[fields.entry ?? -1] ?? -1] ??
    info;
  const entry = fields.entry === undefined ? undefined : info.entries[fields.entry];
  const date = fields.date ?? defaults.date;
  return makeFinding({
    category: fields.category ?? defaults.category,
    severity: fields.severity ?? defaults.severity,
    title: fields.title ?? titleBySubject(fields.subject, defaults) ?? defaults.title,
    subject: fields.subject ?? defaults.subject,
    sourceUrl: fields.sourceUrl ?? null,
    year: date === null ? null : parseLeakYear(date),
    details: {
      file: info.file,
      ...(entry === undefined ? {} : { entry }),
      format,
      ...(date === null ? {} : { date }),
    },
  });
}

function titleBySubject(subject: string | undefined, { subjectTitle }: RecordDefaults): string | null {
  return subject === undefined || subjectTitle === null
    ? null
    : `${subjectTitle.before}${subject}${subjectTitle.after}`;
}
