import type { Cut, Format, RecordReader, RecordSink } from "./format.ts";
import { cutBehindRow, plainLines } from "./html-lines.ts";
import { infostealerDefaults } from "./infostealer.ts";
import { cutAtLineEnd } from "./line-format.ts";
import { BlockReader } from "./stealer-blocks.ts";
import { cutBetweenBlocks } from "./stealer-cut.ts";
import { FieldReader } from "./stealer-fields.ts";
import { forcedStealerPlan, type StealerPlan, stealerPlanOf } from "./stealer-plan.ts";
import { stealerRecords } from "./stealer-records.ts";

/** Credential files of stealer logs: labelled logins in blocks or lines (docs/corpus-formats.md 4). */
export const stealer: Format<StealerPlan> = {
  name: "stealer",
  confidence: 0.7,
  origin: "stealer",
  defaultsFor: infostealerDefaults,
  recognises: stealerPlanOf,
  plan: forcedStealerPlan,
  cut: cutBetweenLogins,
  open: loginReader,
};

function cutBetweenLogins(...[bytes, start, end, plan]: Parameters<Cut<StealerPlan>>): number {
  if (plan.form === "fields") return cutAtLineEnd(bytes, start, end);
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return plan.form === "html" ? cutBehindRow(block, start, end) : cutBetweenBlocks(block, start, end, plan);
}

function loginReader(plan: StealerPlan, sink: RecordSink): RecordReader {
  const records = stealerRecords(plan, sink);
  const reader = plan.form === "fields" ? new FieldReader(records) : new BlockReader(plan, records);
  return {
    read(bytes, start, end) {
      if (plan.form !== "html") {
        reader.read(bytes, start, end);
        return;
      }
      const lines = plainLines(bytes, start, end);
      reader.read(lines, 0, lines.length - 1);
    },
    end: () => undefined,
  };
}
