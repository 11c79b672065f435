import * as z from "zod/mini";
import type { EmailAddress } from "../domain/email.ts";
import {
  categorySlug,
  type Finding,
  makeFinding,
  oneLine,
  parseLeakYear,
  parseSeverity,
  type Severity,
  severities,
  usableUrl,
} from "../domain/finding.ts";

/**
 * What is kept of a record beside its address, already repaired and bounded. In this order it is stored, so that the
 * more severe records of an address come first.
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
 * A template: fields, the format of the record where it is not that of its file, and the number of the entry of an
 * archive or folder that the record comes from.
 */
const templateSchema = z.lazy(() =>
  z.extend(fieldsSchema(), { format: z.optional(z.string()), entry: z.optional(z.int()) }),
);

/** What holds for the records of an import that do not say otherwise. */
const defaultsSchema = () =>
  z.object({
    severity: z.enum(severities),
    category: z.string(),
    subject: z.string(),
    title: z.string(),
    date: z.nullable(z.string()),
    /** Text before and after the subject in the title of a record that has a subject and no title; null = `title`. */
    subjectTitle: z.nullable(z.object({ before: z.string(), after: z.string() })),
  });
export type RecordDefaults = z.infer<ReturnType<typeof defaultsSchema>>;

/** A format that files of an import were read by, and its defaults. */
const importFormatSchema = () => z.object({ format: z.string(), defaults: defaultsSchema() });
export type ImportFormat = z.infer<ReturnType<typeof importFormatSchema>>;

/**
 * What a segment says about itself: enough to read its records without the database. Segments of before version 0.2
 * have one format for all of their files and no `formats`.
 */
export const importInfoSchema = () =>
  z.extend(importFormatSchema(), {
    corpus: z.string(),
    file: z.string(),
    /** Names of the files in an archive or folder, in the order in which they were read; empty for a single file. */
    entries: z.array(z.string()),
    /** Further formats, where the files of an archive or folder, or the records of a file, have several. */
    formats: z.optional(z.array(importFormatSchema())),
    /** For each entry the position of its format in `formats`, or -1 for the format of the import itself. */
    entryFormats: z.optional(z.array(z.int())),
  });
export type ImportInfo = z.infer<ReturnType<typeof importInfoSchema>>;

/** A record that brings nothing of its own. */
export const noFields: RecordFields = Object.freeze({});
const noTemplate: z.infer<typeof templateSchema> = noFields;

/** Text of a record as it stands in the file; null and undefined are absent, but for a severity of null. */
export type RawFields = {
  readonly category?: string | null | undefined;
  readonly severity?: string | null | undefined;
  readonly title?: string | null | undefined;
  readonly subject?: string | null | undefined;
  readonly source_url?: string | null | undefined;
  readonly date?: string | null | undefined;
};

/**
 * Repairs and bounds what is kept; empty text counts as absent, a severity of null is `low` (CONTRACT.md 7.4). A field
 * that cannot be used, such as a date that is none, is dropped and counted. Text that holds the address is dropped:
 * addresses are stored as hashes only.
 */
export function parseFields(
  raw: RawFields,
  address: EmailAddress,
): { readonly fields: RecordFields; readonly droppedCount: number } {
  let droppedCount = 0;
  const kept = <Value>(given: string | null | undefined, value: Value | undefined): Value | undefined => {
    if (value === undefined && (given ?? "").trim() !== "") droppedCount++;
    return value;
  };
  const textOf = (text: string | null | undefined, maxLength: number): string | undefined => {
    if (text === undefined || text === null || text === "") return undefined;
    const line = oneLine(text, maxLength);
    return line === "" || holdsAddress(line, address) ? undefined : line;
  };
  const category = kept(raw.category, textOf(raw.category, 50));
  const date = raw.date?.trim() ?? "";
  const fields: RecordFields = {
    severity: raw.severity === null ? "low" : severityOf(raw.severity),
    category: category === undefined ? undefined : categorySlug(category),
    subject: kept(raw.subject, textOf(raw.subject, 253)),
    title: kept(raw.title, textOf(raw.title, 255)),
    sourceUrl: kept(raw.source_url, usableUrl(textOf(raw.source_url, 1025) ?? null) ?? undefined),
    date: kept(raw.date, parseLeakYear(date) === null ? undefined : date),
  };
  return { fields, droppedCount };
}

function severityOf(word: string | undefined): Severity | undefined {
  return word === undefined || word.trim() === "" ? undefined : parseSeverity(word);
}

function holdsAddress(text: string, address: string): boolean {
  return decoded(text).toLowerCase().includes(address);
}

function decoded(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replaceAll(/%40/g, "@");
  }
}

/** The stored form: compact JSON of the fields that differ from the defaults, empty when none does. */
export function encodeFields(fields: RecordFields, defaults: RecordDefaults): string {
  if (fields === noFields) return "";
  const { severity, category, subject, title, sourceUrl, date } = fields;
  // A subject that makes the title is kept even where it equals the default one.
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

/** What `encodeFields` made, with the format of a record that is not of the format of its file. */
export function encodeFormat(fields: string, format: string): string {
  return fields === "" ? `{"format":"${format}"}` : `${fields.slice(0, -1)},"format":"${format}"}`;
}

/** The text of a template: what `encodeFields` or `encodeFormat` made, with the number of the entry unless the import is a single file. */
export function encodeTemplate(fields: string, entry: number | null): string {
  if (entry === null) return fields;
  return fields === "" ? `{"entry":${entry}}` : `${fields.slice(0, -1)},"entry":${entry}}`;
}

/** The finding that a template stands for. Throws when `template` is not what `encodeTemplate` made. */
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
