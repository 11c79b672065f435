import { categorySlug, oneLine, type Severity } from "../domain/finding.ts";
import type { FormatName } from "./formats/format.ts";
import { formats } from "./formats/registry.ts";
import type { RecordDefaults } from "./record.ts";

/** The name of the corpus, and what the operator said of all records of an import that do not say otherwise. */
export type ImportDefaults = {
  readonly name: string;
  readonly title?: string | undefined;
  readonly category?: string | undefined;
  readonly severity?: Severity | undefined;
  readonly subject?: string | undefined;
  /** `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. */
  readonly date?: string | undefined;
};

/** What holds for records of a format in an import. */
export function defaultsOf(format: FormatName, given: ImportDefaults): RecordDefaults {
  const own = formats[format].defaultsFor(given.name);
  return {
    severity: given.severity ?? own.severity,
    category: categorySlug(given.category ?? "") || own.category,
    subject: oneLine(given.subject ?? "", 253) || own.subject,
    title: oneLine(given.title ?? "", 255) || own.title,
    date: given.date?.trim() ?? own.date,
    subjectTitle: own.subjectTitle,
  };
}
