import { useState } from "preact/hooks";
import type { Severity } from "../wire/finding.ts";
import { CopyButton } from "./copy-button.tsx";
import { FindingTable } from "./finding-table.tsx";
import { Foreign, ForeignList } from "./foreign.tsx";
import { plural } from "./format.ts";
import { Icon } from "./icon.tsx";
import { RunList } from "./run-list.tsx";
import type { Result } from "./scan.ts";

const severities: readonly Severity[] = ["high", "medium", "low"];

/** The exposure of an address: the evidence, the result of each source, and the disambiguation notice. */
export function ExposureView({ result }: { result: Result }) {
  const { envelope, text, digest, findings, runs } = result;
  const { exposure, indicator, disambiguation, cache } = envelope;
  const [only, setOnly] = useState<Severity | null>(null);
  const failed = runs.filter(({ outcome }) => outcome === "failed");
  const shown = only === null ? findings : findings.filter(({ severity }) => severity === only);
  return (
    <>
      {failed.length === 0 ? null : (
        <div class="notice bad" role="alert">
          <Icon name="alert" />
          <div>
            <p>
              <strong>
                {failed.length} of {plural(runs.length, "source")} failed:{" "}
                <ForeignList texts={failed.map(({ source }) => source)} />.
              </strong>{" "}
              This evidence is partial. Findings that a failed source gave earlier stay, with their old dates.
            </p>
          </div>
        </div>
      )}
      <section class="card" aria-labelledby="exposure-title">
        <div class="row spread">
          <div>
            <h2 id="exposure-title" class="indicator">
              <Foreign text={indicator.value} />
            </h2>
            <p class="quiet small">
              {plural(exposure.total, "finding")} · {cache === "hit" ? "stored result" : "fresh scan"} ·{" "}
              <span class="mono">
                <Foreign text={envelope.request_id} />
              </span>
            </p>
          </div>
          <CopyButton text={text} label="Copy as JSON" />
        </div>
        <fieldset class="severities" aria-label="Findings by severity">
          {severities.map((severity) => {
            const count = exposure.by_severity[severity] ?? 0;
            return (
              <button
                type="button"
                key={severity}
                class={`severity-count ${severity}`}
                aria-pressed={only === severity}
                disabled={count === 0}
                onClick={() => setOnly(only === severity ? null : severity)}
              >
                <span class="figure">{count}</span>
                {severity}
              </button>
            );
          })}
        </fieldset>
        <p class="notice">
          <Icon name="info" />
          <span>
            <strong>Disambiguation required.</strong> <Foreign text={disambiguation.reason} />.
          </span>
        </p>
      </section>
      <section class="card flush" aria-labelledby="findings-title">
        <div class="row spread card-head">
          <h2 id="findings-title">Findings</h2>
          {only === null ? null : (
            <button type="button" class="link" onClick={() => setOnly(null)}>
              Show all {findings.length}
            </button>
          )}
        </div>
        {shown.length === 0 ? (
          <p class="card-line quiet">
            {failed.length === 0
              ? "None of the sources that were asked knows this address. Sources that were not asked may know it."
              : "The sources that answered do not know this address. Sources that failed may know it."}
          </p>
        ) : (
          <FindingTable findings={shown} />
        )}
      </section>
      <section class="card" aria-labelledby="runs-title">
        <h2 id="runs-title">Sources of this scan</h2>
        <RunList runs={runs} waiting={[]} />
      </section>
      {digest === null ? null : (
        <section class="card row spread" aria-label="Digest">
          <div>
            <h3>Digest of the evidence</h3>
            <p class="mono small break">
              <Foreign text={digest} />
            </p>
            <p class="quiet small">
              Equal digests are equal evidence, today and next month, here and on another install.
            </p>
          </div>
          <CopyButton text={digest} label="Copy digest" />
        </section>
      )}
    </>
  );
}
