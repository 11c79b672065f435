import type { SourceRunBody } from "../wire/scan.ts";
import type { Outcome } from "../wire/source.ts";
import { Foreign } from "./foreign.tsx";
import { formatMs, plural } from "./format.ts";
import { explainError, OutcomeLabel } from "./outcome.tsx";

const order: readonly Outcome[] = ["failed", "skipped", "ok", "no_data"];

type RunListProps = {
  readonly runs: readonly SourceRunBody[];
  /** Names of sources that have not finished yet. */
  readonly waiting: readonly string[];
};

/** The result of each source in a scan, failures first. */
export function RunList({ runs, waiting }: RunListProps) {
  const sorted = runs.toSorted((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
  return (
    <ul class="runs">
      {sorted.map((run) => (
        <li key={run.source} class={`run ${run.outcome}`}>
          <OutcomeLabel outcome={run.outcome} />
          <strong>
            <Foreign text={run.source} />
          </strong>
          <span class="quiet">
            <Foreign text={resultText(run)} />
          </span>
          {run.error === null ? null : (
            <span class="mono small">
              <Foreign text={run.error} />
            </span>
          )}
          <span class="quiet small end">{formatMs(run.duration_ms)}</span>
        </li>
      ))}
      {waiting.map((name) => (
        <li key={name} class="run waiting">
          <span class="outcome">
            <i class="spinner" />
            asking
          </span>
          <strong>
            <Foreign text={name} />
          </strong>
        </li>
      ))}
    </ul>
  );
}

function resultText({ outcome, findings, error, missing }: SourceRunBody): string {
  const gaps = missing.length === 0 ? "" : `; missing: ${missing.join(", ")}`;
  if (outcome === "failed") return `${explainError(error)}; what it knows is missing here`;
  if (outcome === "skipped") return "not asked: the appliance is offline";
  // The missing part may be about this address.
  const nothing = missing.length === 0 ? "knows nothing about this address" : "says nothing about this address";
  return (outcome === "ok" ? plural(findings, "finding") : nothing) + gaps;
}
