import * as z from "zod/mini";
import { atom } from "./finding.ts";
import { indicator } from "./indicator.ts";
import { count, counts, id, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { sourceErrorReason } from "./source.ts";

/** The kinds of events (docs/pipeline.md 20.4). */
export const watchEventType = z.enum(["exposure.new", "source.failing", "source.recovered", "watch.checked"]);

const eventIdText = id.check(z.describe("also the position of the event: see after"));

/** The members of `counts` of a round (docs/pipeline.md 34). */
const roundCounts = z.strictObject({
  checked: count.check(z.describe("addresses looked up")),
  matched: count.check(z.describe("with any finding from these corpora, or in the whole scan")),
  new: count.check(z.describe("with a new finding")),
  failed: count.check(z.describe("not looked up")),
});

/** A watched address has findings that the check before did not hold. */
const exposureEvent = z.strictObject({
  id: eventIdText,
  type: z.literal("exposure.new"),
  at: time,
  label: z.nullable(text),
  indicator,
  request_id: z.nullable(id).check(z.describe("the scan; null when only corpora were looked at")),
  findings: z.array(atom).check(z.describe("the new ones")),
  first: z.exactOptional(z.literal(true).check(z.describe("only there on the first check of the address"))),
});
export type ExposureEvent = Shape<typeof exposureEvent>;

/** A source failed in all checks of an hour, or answered again. */
const sourceEvent = z.strictObject({
  id: eventIdText,
  type: z.enum(["source.failing", "source.recovered"]),
  at: time,
  source: text,
  error: z.nullable(sourceErrorReason),
});
export type SourceEvent = Shape<typeof sourceEvent>;

/** The end of a round (docs/pipeline.md 34). */
const watchCheckedEvent = z.strictObject({
  id: eventIdText,
  type: z.literal("watch.checked"),
  at: time,
  trigger: z.enum(["corpus", "interval"]),
  corpora: z.array(text).check(z.describe("names of the corpora that changed; empty for an interval")),
  counts: roundCounts,
});
export type WatchCheckedEvent = Shape<typeof watchCheckedEvent>;

const watchEvent = z.union([exposureEvent, sourceEvent, watchCheckedEvent]);
export type WatchEventBody = ExposureEvent | SourceEvent | WatchCheckedEvent;

/** The answer of GET /soc/events. */
export const eventList = z.strictObject({
  events: z.array(watchEvent).check(z.describe("oldest first")),
  next: id.check(z.describe("send it as after to get what follows; it stays valid for ever")),
});
export type EventList = { readonly events: readonly WatchEventBody[]; readonly next: string };

/** The body of a webhook without addresses (docs/pipeline.md 20.6). */
const thinEvent = z.strictObject({
  type: watchEventType,
  timestamp: time,
  data: z.strictObject({
    id,
    label: z.nullable(text),
    request_id: z.nullable(id),
    counts: z.nullable(counts),
  }),
});
export type ThinEvent = Shape<typeof thinEvent>;

/** The body of a webhook with `thin = false`. */
export type FullEvent = { readonly type: string; readonly timestamp: string; readonly data: WatchEventBody };
