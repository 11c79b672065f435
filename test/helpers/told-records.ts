import { detectPlan } from "../../src/corpus/formats/detect.ts";
import type { FormatName, ReadRecord } from "../../src/corpus/formats/format.ts";
import { sampleOf } from "../../src/corpus/formats/sample.ts";
import { noWishes, readFormat } from "./read-format.ts";

/** The records of a text: address, site, and the format if it differs; or the reason for skipping. */
export type Told = { readonly records: readonly string[]; readonly furtherAddresses: number };

/** The records that a format reads from a text, with the plan of the named format or the detected plan. */
export async function told(text: string | Buffer, format: FormatName | "detected" = "detected"): Promise<Told> {
  const bytes = Buffer.from(text);
  const named = format === "detected" ? detectedFormat(bytes) : format;
  if (named === null) throw new Error("no format recognises the text");
  const isNamed = format !== "detected";
  const { records, furtherAddresses } = await readFormat(named, [bytes], { isNamed });
  return { records: records.map(toldRecord), furtherAddresses };
}

export function detectedFormat(text: string | Buffer, fileName: string | null = null): FormatName | null {
  const bytes = Buffer.from(text);
  const head = bytes.subarray(0, 64 << 10);
  return detectPlan(sampleOf(fileName, head, head.length === bytes.length), noWishes)?.format ?? null;
}

function toldRecord(record: ReadRecord): string {
  if (typeof record === "string") return record;
  const { address, fields, format } = record;
  return [address, fields.subject, format === undefined ? undefined : `(${format})`].filter(Boolean).join(" ");
}
