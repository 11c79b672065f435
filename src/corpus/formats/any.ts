import { addressOf } from "../address.ts";
import { noFields } from "../record.ts";
import { type Cut, commonDefaults, type Format, type Plan, type RecordReader, type RecordSink } from "./format.ts";

/** Every address of a text of any form: the last resort, SQL dumps first of all. Nothing but addresses is kept. */
export const any: Format = {
  name: "any",
  confidence: 0.5,
  origin: null,
  defaultsFor: commonDefaults,
  recognises: ({ text }) => (text.includes("@") ? plan : null),
  plan: () => plan,
  cut: cutBesideAddress,
  open: (_plan, sink) => addressReader(sink),
};

const plan: Plan = { format: "any", columns: [] };
const lineFeed = 0x0a;

/** Behind a line end; in a line of any length, behind a byte that no address holds. */
function cutBesideAddress(...[bytes, start, end]: Parameters<Cut>): number {
  const feed = bytes.lastIndexOf(lineFeed, end - 1);
  if (feed >= start) return feed + 1;
  for (let at = end; at > start; at--) if (isOutside(bytes[at - 1] ?? 0)) return at;
  return start;
}

function isOutside(byte: number): boolean {
  return byte <= 0x20 || byte === 0x22 || byte === 0x27 || byte === 0x2c || byte === 0x3c || byte === 0x3e;
}

function addressReader(sink: RecordSink): RecordReader {
  return {
    read(bytes, start, end) {
      for (const [token] of bytes.toString("utf8", start, end).matchAll(/[^\s@<>()[\]"',;:|]+@[^\s@<>()[\]"',;:|]+/g)) {
        const address = addressOf(token.replace(/[.-]+$/, ""));
        sink.add(address === null ? "invalid_email" : { address, fields: noFields, droppedCount: 0 });
      }
    },
    end: () => undefined,
  };
}
