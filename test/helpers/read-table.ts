import type { FormatName, ReadRecord, Wishes } from "../../src/corpus/formats/format.ts";
import { noWishes, readFormat } from "./read-format.ts";

/** The result of reading a table or JSON. */
export type TableRead = {
  /** Per record: address, kept fields as `name=text`, and the format if it differs from the file's; or the reason. */
  readonly records: readonly string[];
  readonly further: number;
  /** Fields that could not be used or must not be kept. */
  readonly dropped: number;
};

type Options = {
  readonly fileName?: string;
  readonly wishes?: Partial<Wishes>;
  /** True when the operator named the format; else the format must recognise the text. */
  readonly isNamed?: boolean;
};

export async function readTable(
  format: FormatName,
  text: string | Buffer,
  { fileName, wishes = {}, isNamed = false }: Options = {},
): Promise<TableRead> {
  const { records, furtherAddresses } = await readFormat(format, [Buffer.from(text)], {
    fileName: fileName ?? null,
    wishes: { ...noWishes, ...wishes },
    isNamed,
  });
  return {
    records: records.map(toldRecord),
    further: furtherAddresses,
    dropped: records.reduce((sum, record) => sum + (typeof record === "string" ? 0 : record.droppedCount), 0),
  };
}

export function toldRecord(record: ReadRecord): string {
  if (typeof record === "string") return record;
  const { address, fields, format } = record;
  const kept = Object.entries(fields).flatMap(([name, text]) => (text === undefined ? [] : `${name}=${text}`));
  return [address, ...kept, ...(format === undefined ? [] : [`(${format})`])].join(" ");
}
