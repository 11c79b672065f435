import { headline } from "../domain/headline.ts";
import type { CompletedCase } from "../wire/case.ts";
import type { Atom } from "../wire/finding.ts";
import type { ExportOptions } from "./export-options.ts";
import { skippedSources } from "./skipped-sources.ts";
import { uri } from "./uri.ts";

const columns = [
  "severity",
  "category",
  "finding",
  "source",
  "reliability",
  "corroborated by",
  "first seen by us",
  "last seen",
  "link",
];

/**
 * Markdown for a ticket (GitHub Flavored Markdown, 4.10): first a summary and the failed sources, then the findings.
 * Text of sources is shown literally and never acts as markup.
 */
export function markdown(exported: CompletedCase, { tlp }: ExportOptions): string {
  const { failed_sources: failed, exposure, indicator, disambiguation } = exported;
  const facts = [
    ...failed.map(({ source, error }) => `- could not look: ${source} (${error})`),
    ...skippedSources(exported).map((source) => `- not asked: ${source}`),
    `- address: ${addressText(indicator.value)}`,
    `- asked: ${exported.asked_at}, finished: ${exported.finished_at}`,
    `- TLP:${tlp.toUpperCase()}, ${exported.partial ? "partial" : "complete"}, reach: ${exported.reach}`,
  ];
  const blocks = [
    [`**${headline(exported)}**`],
    facts,
    exposure.total === 0 ? [] : table(exposure.findings),
    [`Scan ${exported.request_id}, evidence ${exported.digest}.`],
    [disambiguation.reason],
  ];
  const filled = blocks.filter((lines) => lines.length > 0);
  return `${filled.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function table(findings: readonly Atom[]): string[] {
  return [row(columns), row(columns.map(() => "---")), ...findings.map((atom) => row(cellsOf(atom)))];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function cellsOf(atom: Atom): string[] {
  const { corroborated_by: by, corroboration_count: count, source_url: url } = atom;
  return [
    atom.severity,
    escaped(atom.category),
    escaped(atom.title),
    escaped(atom.source),
    `${atom.source_confidence} (${atom.source_tier})`,
    by.length === 0 ? String(count) : `${count}: ${escaped(by.join(", "))}`,
    atom.first_seen ?? "unknown",
    atom.last_seen ?? "unknown",
    url === null ? "" : link(url),
  ];
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\n": "&#10;",
  "\r": "&#13;",
  "\u0085": "&#133;",
  "\u2028": "&#8232;",
  "\u2029": "&#8233;",
};

/** Most titles contain none of these, so they are not escaped. */
const special = /[\\`*_[\]|~$@&<>\n\r\u0085\u2028\u2029]|:\/\/|www\./i;
/**
 * `_` within a word has no meaning in Markdown. `(` matters only after `]`. `@`, `://` and `www.` matter because some
 * renderers turn such text into links.
 */
const pieces =
  /[\\`*[\]|~$@]|(?<=\])\(|_(?![a-z0-9])|(?<![a-z0-9])_|:(?=\/\/)|(?<=www)\.|[&<>\n\r\u0085\u2028\u2029]/gi;

/** Text that is shown literally: no markup, no link, no line end, no additional cell. */
function escaped(text: string): string {
  return special.test(text) ? text.replaceAll(pieces, (piece) => entities[piece] ?? `\\${piece}`) : text;
}

/** The address that was asked about keeps its `@`, so that a reader can search for it and copy it. */
function addressText(address: string): string {
  const at = address.lastIndexOf("@");
  return escaped(address.slice(0, at)) + address.slice(at);
}

/** Shows the host, so that a reader sees where the link leads. */
function link(url: string): string {
  const host = URL.parse(url)?.host ?? "";
  if (host === "" || !/^https?:/i.test(url)) return escaped(url);
  return `[${escaped(host)}](${uri(url).replaceAll(/[()']/g, encoded)})`;
}

/** These characters are allowed in a URL but would end it in Markdown. */
function encoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
