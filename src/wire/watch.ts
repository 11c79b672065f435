import * as z from "zod/mini";
import { errorBody } from "./error.ts";
import { indicator } from "./indicator.ts";
import { count, counts, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

/** The body of POST /soc/watch and /soc/watch/remove (docs/pipeline.md 20.2). */
export const watchRequest = z.object({
  indicators: z.array(indicator).check(z.minLength(1), z.maxLength(1000)),
  label: z.exactOptional(z.nullable(text.check(z.minLength(1), z.maxLength(64)))),
});

export const watchAdded = z.strictObject({
  added: count,
  already: count.check(z.describe("on the list before, or repeated in the request")),
  invalid: z.array(z.strictObject({ value_index: count, error: errorBody.shape.error })),
  total: count.check(z.describe("addresses on the list now")),
});
export type WatchAdded = Shape<typeof watchAdded>;

export const watchRemoved = z.strictObject({ removed: count, total: count });
export type WatchRemoved = Shape<typeof watchRemoved>;

const watchedIndicator = z.strictObject({
  indicator,
  label: z.nullable(text),
  added_at: time,
  last_checked_at: z.nullable(time).check(z.describe("null before the first check")),
  total: z.nullable(count).check(z.describe("findings that the last check held; null before the first check")),
  by_severity: z.nullable(counts),
});
export type WatchedBody = Shape<typeof watchedIndicator>;

export const watchList = z.strictObject({
  watch: z.array(watchedIndicator).check(z.describe("in the order in which they were added")),
  next_cursor: z.nullable(text),
});
export type WatchList = Shape<typeof watchList>;

/** The report of `xpose watch check`. */
export const watchCheckReport = z.strictObject({ checked: count, matched: count, new: count, failed: count });
export type WatchCheckReport = Shape<typeof watchCheckReport>;

/** The report of `xpose webhooks list`. */
export const webhookList = z.strictObject({
  webhooks: z.array(
    z.strictObject({
      name: text,
      url: text,
      state: z.enum(["ready", "failing", "off"]),
      waiting: count.check(z.describe("events that are not delivered yet, of any workspace and type")),
      delivered_at: z.nullable(time),
      failed_at: z.nullable(time),
      fault: z.nullable(text),
    }),
  ),
});
export type WebhookList = Shape<typeof webhookList>;

/** The report of `xpose webhooks test`. */
export const webhookTest = z.strictObject({ name: text, status: z.nullable(count), fault: z.nullable(text) });
export type WebhookTest = Shape<typeof webhookTest>;
