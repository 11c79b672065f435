import type { Outcome, OutcomeCounts, SourceDay } from "../wire/source.ts";
import { plural } from "./format.ts";
import { runText } from "./outcome.tsx";

/** Worst outcome first: an hour with any failure is shown as failed. */
const byConcern: readonly Outcome[] = ["failed", "skipped", "ok", "no_data"];

/** The outcomes of a source over the last 24 hours, one cell per hour. */
export function OutcomeStrip({ day }: { day: SourceDay }) {
  return (
    <div class="strip" role="img" aria-label={`Last 24 hours: ${summary(day.outcomes)}`}>
      {day.by_hour.map((counts, index) => (
        <span
          key={String(index)}
          class={`cell ${concernOf(counts) ?? "none"}`}
          title={`${hourText(day.by_hour.length - 1 - index)}: ${summary(counts)}`}
        />
      ))}
    </div>
  );
}

function concernOf(counts: OutcomeCounts): Outcome | undefined {
  return byConcern.find((outcome) => counts[outcome] > 0);
}

function hourText(hoursAgo: number): string {
  return hoursAgo === 0 ? "this hour" : `${plural(hoursAgo, "hour")} ago`;
}

/** "12 ok, 3 no data", or a note that the source was not asked. */
export function summary(counts: OutcomeCounts): string {
  const parts = byConcern.filter((outcome) => counts[outcome] > 0).map((one) => `${counts[one]} ${runText[one]}`);
  return parts.length === 0 ? "not asked" : parts.join(", ");
}
