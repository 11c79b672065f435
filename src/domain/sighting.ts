import type { Sighting } from "./envelope.ts";

/**
 * When a finding was first and last seen, now that an answer of `at` has it. A finding that was last seen before
 * `ledgerBefore` counts as never seen: its entry is past its retention. An older answer moves no time back.
 */
export function seenAgain(before: Sighting | null, at: Date, ledgerBefore: Date): Sighting {
  if (before === null) return { firstSeenAt: at, lastSeenAt: at };
  const isForgotten = before.lastSeenAt < ledgerBefore;
  const isLater = at > before.lastSeenAt;
  return { firstSeenAt: isForgotten ? at : before.firstSeenAt, lastSeenAt: isLater ? at : before.lastSeenAt };
}
