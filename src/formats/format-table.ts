import type { CompletedCase } from "../wire/case.ts";
import { csv } from "./csv.ts";
import { ecs } from "./ecs.ts";
import type { ExportOptions } from "./export-options.ts";
import { markdown } from "./markdown.ts";
import { misp } from "./misp.ts";
import { ocsf } from "./ocsf.ts";
import { stix } from "./stix.ts";

/** An export format of a completed scan. The same case and options give the same bytes. */
export type Format = {
  readonly mediaType: string;
  /** The file extension, without its dot. */
  readonly extension: string;
  readonly write: (exported: CompletedCase, options: ExportOptions) => string;
};

/** Every format by its public name (docs/pipeline.md 18.1). */
export const formats = {
  stix: { mediaType: "application/stix+json;version=2.1", extension: "stix.json", write: stix },
  misp: { mediaType: "application/json", extension: "misp.json", write: misp },
  ocsf: { mediaType: "application/json", extension: "ocsf.json", write: ocsf },
  ecs: { mediaType: "application/x-ndjson", extension: "ecs.ndjson", write: ecs },
  csv: { mediaType: "text/csv; charset=utf-8; header=present", extension: "csv", write: csv },
  markdown: { mediaType: "text/markdown; charset=utf-8", extension: "md", write: markdown },
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof formats;

export const formatNames = Object.keys(formats) as readonly FormatName[];

export function isFormatName(text: string): text is FormatName {
  return Object.hasOwn(formats, text);
}
