import { categorySlug, type Severity } from "../../domain/finding.ts";
import { redactText } from "../../domain/redact.ts";
import { oneLine } from "../../domain/text.ts";
import type { FormatName } from "../formats/format.ts";
import { formats } from "../formats/registry.ts";
import type { RecordDefaults } from "../record.ts";

/** The corpus name, and the operator's values for records that lack their own. */
export type ImportDefaults = {
  readonly name: string;
  readonly title?: string | undefined;
  readonly category?: string | undefined;
  readonly severity?: Severity | undefined;
  readonly subject?: string | undefined;
  /** `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. */
  readonly date?: string | undefined;
};

/** Text typed by the operator, without addresses and secrets, because it is shown with every record. */
export function safeText(text: string | undefined, maxLength: number): string {
  return oneLine(redactText(text ?? "", null), maxLength);
}

/** Copies only these fields, as plain data that can be sent to another thread. */
export function importDefaults({ name, title, category, severity, subject, date }: ImportDefaults): ImportDefaults {
  return { name, title, category, severity, subject, date };
}

/** The defaults for records of a format: the operator's values first, then those of the format. */
export function defaultsOf(format: FormatName, given: ImportDefaults): RecordDefaults {
  const own = formats[format].defaultsFor(given.name);
  return {
    severity: given.severity ?? own.severity,
    category: categorySlug(given.category ?? "") || own.category,
    subject: safeText(given.subject, 253) || own.subject,
    title: safeText(given.title, 255) || own.title,
    date: given.date?.trim() ?? own.date,
    subjectTitle: own.subjectTitle,
  };
}
