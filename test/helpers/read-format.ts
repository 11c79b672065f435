import type { FormatName, ReadRecord, RecordReader, RecordSink, Wishes } from "../../src/corpus/formats/format.ts";
import { LineScanner } from "../../src/corpus/formats/line-scanner.ts";
import { formats } from "../../src/corpus/formats/registry.ts";
import { sampleOf } from "../../src/corpus/formats/sample.ts";
import { BlockFeeder } from "../../src/corpus/import/block-feeder.ts";
import type { Lane } from "../../src/corpus/import/lane.ts";
import { noFields, type RecordFields } from "../../src/corpus/record.ts";
import type { EmailAddress } from "../../src/domain/email.ts";
import { corpusPrefix } from "../../src/domain/keyed-hash.ts";
import { keys } from "./corpus-desk.ts";

export const noWishes: Wishes = { column: null, fields: [], leakNames: null };

type Options = {
  readonly fileName?: string | null;
  readonly wishes?: Wishes;
  /** True when the operator named the format; else the format must recognise the text. */
  readonly isNamed?: boolean;
};

/** The records that a format reads from a text given in pieces, in order, and the skipped parts. */
export async function readFormat(
  format: FormatName,
  pieces: readonly Buffer[],
  { fileName = null, wishes = noWishes, isNamed = true }: Options = {},
): Promise<ReadTold> {
  const { sink, told } = recordsSink();
  const reader = formats[format];
  const whole = Buffer.concat(pieces);
  const head = whole.subarray(0, 64 << 10);
  const sample = sampleOf(fileName, head, head.length === whole.length);
  const plan = isNamed ? reader.plan(sample, wishes) : reader.recognises(sample, wishes);
  if (plan === null) throw new Error(`${format} does not recognise the text`);
  const cut = plan.isOrdered === true ? null : reader.cut;
  let open: RecordReader | null = null;
  const lane: Pick<Lane, "addBlock"> = {
    async addBlock(bytes, block) {
      for (const { start, end, isFirst, isLast } of block.pieces) {
        open ??= reader.open(plan, sink, isFirst);
        open.read(bytes, start, end);
        if (isLast || cut !== null) {
          open.end();
          open = null;
        }
      }
      return bytes;
    },
  };
  const feeder = new BlockFeeder([lane as Lane]);
  async function* chunks() {
    yield* pieces;
  }
  await feeder.feed({ chunks: chunks(), entry: 0, plan, cut });
  await feeder.settle();
  return told;
}

/** The records in their order. */
export type ReadTold = { records: ReadRecord[]; furtherAddresses: number };

/** A sink that keeps everything it receives. */
export function recordsSink(): { readonly sink: RecordSink; readonly told: ReadTold } {
  const told: ReadTold = { records: [], furtherAddresses: 0 };
  const scanner = new LineScanner(corpusPrefix(keys, "email"));
  const addEncoded = (fields: Uint8Array, format?: FormatName): void => {
    told.records.push({
      address: scanner.address() as EmailAddress,
      fields: fields.length === 0 ? noFields : (JSON.parse(Buffer.from(fields).toString()) as RecordFields),
      droppedCount: 0,
      ...(format === undefined ? {} : { format }),
    });
  };
  const sink: RecordSink = {
    scanner,
    add: (record) => told.records.push(record),
    addScanned: (format) => addEncoded(scanner.fields.subarray(0, scanner.fieldsSize), format),
    encode: (fields) => Buffer.from(JSON.stringify(fields)),
    addRead: addEncoded,
    noteFurtherAddresses: (count) => {
      told.furtherAddresses += count;
    },
  };
  return { sink, told };
}
