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
export function csv(exported: CompletedCase, { hasByteOrderMark }: ExportOptions): string {
  const { indicator, request_id, partial, failed_sources: failed, exposure } = exported;
  const scan: Row = {
    indicator: indicator.value,
    request_id,
    partial: String(partial),
    failed_sources: failed.map(({ source, error }) => `${source}:${error}`).join(" "),
  };
  const { findings } = exposure;
  const rows: Row[] = findings.length === 0 ? [scan] : findings.map((atom) => ({ ...scan, ...cellsOf(atom) }));
  const lines = [columns.join(","), ...rows.map((row) => columns.map((name) => cell(row[name] ?? "")).join(","))];
  return `${hasByteOrderMark ? "\ufeff" : ""}${lines.join("\r\n")}\r\n`;
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
