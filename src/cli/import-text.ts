import type { ImportReport } from "../corpus/import/import.ts";
import { table } from "./output.ts";

/** Maximum number of rows in a table of the report. */
const maxRows = 20;

/** The report of an import for people: counts, then skipped data and advice. */
export function importText(report: ImportReport): string {
  return [...countLines(report), ...hintLines(report), ...dryRunLines(report)].join("\n");
}

function countLines(report: ImportReport): string[] {
  const { name, read, imported, durationMs, addressCount, sizeBytes, entryCount } = report;
  const skipped = Object.entries(report.skipped).map(([reason, count]) => `${count} ${reason}`);
  const formats = Object.entries(report.formats).map(([format, count]) => `${format} (${count} records)`);
  const seconds = durationMs / 1000;
  const rate = Math.round(read / Math.max(seconds, 0.001));
  const files = entryCount === null ? "" : ` from ${entryCount} files`;
  const kept = `${addressCount} addresses as keyed hashes in ${(sizeBytes / 1024 / 1024).toFixed(1)} MiB`;
  return [
    `${report.dryRun === null ? "Imported" : "Would import"} ${imported} of ${read} records${files} into ${name}; skipped: ${skipped.join(", ") || "none"}.`,
    `Read as ${formats.join(", ")}.`,
    report.dryRun === null
      ? `Kept ${kept}; every other column was dropped.`
      : `Would keep ${kept}. Nothing was stored.`,
    `It took ${seconds.toFixed(1)} s, ${rate} records per second.`,
  ];
}

function hintLines({ furtherAddresses, fieldsDropped, leftOut, sameAs, name }: ImportReport): string[] {
  const lines: string[] = [];
  if (furtherAddresses > 0) {
    lines.push(
      `${furtherAddresses} further addresses in these records were not taken, because they may be secrets. --column names the column to take; --format any takes every address.`,
    );
  }
  if (fieldsDropped > 0) {
    lines.push(`${fieldsDropped} fields were dropped: they cannot be used, or hold data that must not be stored.`);
  }
  if (sameAs !== null) {
    lines.push(
      `The corpus ${sameAs} has the same content, so both share one origin and do not corroborate each other. --origin ${name} overrides this.`,
    );
  }
  if (leftOut.length > 0) {
    const shown = leftOut.slice(0, maxRows).map(({ file, reason }) => [file, reason]);
    lines.push("", `Left out: ${leftOut.length} files`, table(["FILE", "REASON"], shown));
    if (leftOut.length > maxRows) lines.push(`... and ${leftOut.length - maxRows} more; --json lists them.`);
  }
  return lines;
}

function dryRunLines({ dryRun }: ImportReport): string[] {
  if (dryRun === null) return [];
  const files = dryRun.files.slice(0, maxRows).map(({ file, format, columns }) => [file, format, columns.join(", ")]);
  const findings = dryRun.findings.map((finding) => [
    finding.category,
    finding.severity,
    finding.title,
    finding.subjects[0] ?? "",
    finding.sourceUrl ?? "",
  ]);
  return [
    "",
    table(["FILE", "FORMAT", "COLUMNS TAKEN"], files),
    "",
    "The first findings:",
    table(["CATEGORY", "SEVERITY", "TITLE", "SUBJECT", "SOURCE URL"], findings),
  ];
}
