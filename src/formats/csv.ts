import type { BulkState } from "../domain/bulk.ts";
import type { CompletedCase } from "../wire/case.ts";
import type { Atom } from "../wire/finding.ts";
import type { ExportOptions } from "./export-options.ts";

const columns = [
  "indicator",
  "source",
  "source_tier",
  "source_confidence",
  "corroboration_count",
  "corroborated_by",
  "category",
  "severity",
  "title",
  "source_url",
  "first_seen",
  "last_seen",
  "request_id",
  "partial",
  "failed_sources",
] as const;

type Row = Readonly<Partial<Record<(typeof columns)[number], string>>>;

/**
 * Comma-separated values (RFC 4180): a header, then one row per finding. Without findings there is one row, which still
 * names the sources that failed. No cell can act as a formula in a spreadsheet (docs/pipeline.md 18.4).
 */
export function csv(exported: CompletedCase, options: ExportOptions): string {
  return `${csvHead(options)}${csvRows(exported)}`;
}

/** The header; the rows of many scans may follow it. */
export function csvHead({ hasByteOrderMark }: Pick<ExportOptions, "hasByteOrderMark">): string {
  return `${hasByteOrderMark ? "\ufeff" : ""}${columns.join(",")}\r\n`;
}

/** The rows of a row of a list. Where there is no result `partial` is empty: such an address was not found clean. */
export function bulkCsvRows({ value, scanId, scan }: BulkState): string {
  const indicator = value ?? "";
  const request_id = scanId ?? "";
  const failed_sources = scan?.failedSources ?? [];
  const tail = scan?.envelopeTail ?? null;
  if (scan === null || tail === null) {
    const failed = failedText(failed_sources);
    return line({ indicator, request_id, failed_sources: failed });
  }
  const { exposure } = JSON.parse(`{${tail}`) as Pick<CompletedCase, "exposure">;
  const asked = { type: "email", value: indicator } as const;
  return csvRows({ indicator: asked, request_id, partial: scan.isPartial, failed_sources, exposure });
}

type Exported = Pick<CompletedCase, "indicator" | "request_id" | "partial" | "failed_sources" | "exposure">;

function csvRows(exported: Exported): string {
  const { indicator, request_id, partial, failed_sources: failed, exposure } = exported;
  const scan: Row = {
    indicator: indicator.value,
    request_id,
    partial: String(partial),
    failed_sources: failedText(failed),
  };
  const { findings } = exposure;
  const rows: Row[] = findings.length === 0 ? [scan] : findings.map((atom) => ({ ...scan, ...cellsOf(atom) }));
  return rows.map(line).join("");
}

function failedText(failed: CompletedCase["failed_sources"]): string {
  return failed.map(({ source, error }) => `${source}:${error}`).join(" ");
}

function line(row: Row): string {
  return `${columns.map((name) => cell(row[name] ?? "")).join(",")}\r\n`;
}

function cellsOf(atom: Atom): Row {
  return {
    source: atom.source,
    source_tier: atom.source_tier,
    source_confidence: String(atom.source_confidence),
    corroboration_count: String(atom.corroboration_count),
    corroborated_by: atom.corroborated_by.join(" "),
    category: atom.category,
    severity: atom.severity,
    title: atom.title,
    source_url: atom.source_url ?? "",
    first_seen: atom.first_seen ?? "",
    last_seen: atom.last_seen ?? "",
  };
}

function cell(text: string): string {
  const guarded = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}
