import type { SourceBody, SourceList } from "../wire/source.ts";
import { CommandLine } from "./command-line.tsx";
import { useData } from "./data.ts";
import { EmptyState } from "./empty-state.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { Foreign, ForeignList } from "./foreign.tsx";
import { formatCount, formatMs, plural } from "./format.ts";
import { Icon } from "./icon.tsx";
import { Moment } from "./moment.tsx";
import { explainError, OutcomeLabel } from "./outcome.tsx";
import { OutcomeStrip, summary } from "./outcome-strip.tsx";
import { Reliability } from "./reliability.tsx";

export function SourcesPage() {
  const { body, fault, reload } = useData<SourceList>("/dashboard/sources", 15_000);
  const failing = body?.sources.filter(({ day }) => day?.last.outcome === "failed") ?? [];
  return (
    <>
      <h1>Sources</h1>
      <p class="quiet lead">
        What a scan of this workspace asks, side by side. Sources are set in the configuration file and taken over by a
        reload; a breach corpus counts as a source of its own.
      </p>
      {fault === null ? null : <FaultNotice fault={fault} retry={() => void reload()} />}
      {failing.length === 0 ? null : (
        <div class="notice bad" role="status">
          <Icon name="alert" />
          <p>
            {plural(failing.length, "source")} failed when last asked:{" "}
            <ForeignList texts={failing.map(({ name }) => name)} />. What a failed source knows is missing from
            evidence, and is asked again with the next scan.
          </p>
        </div>
      )}
      {body === null ? null : body.sources.length === 0 ? <NoSources /> : <SourceTable sources={body.sources} />}
      <section class="card">
        <h2>Check every source</h2>
        <p class="quiet">On the machine of the appliance:</p>
        <CommandLine text="xpose sources check" />
      </section>
    </>
  );
}

function NoSources() {
  return (
    <section class="card">
      <EmptyState icon="sources" title="No source is enabled for this workspace">
        <p>
          Without one every scan fails: silence must not read as nothing found. Put a table such as{" "}
          <code>[sources.hibp]</code> into the configuration file and reload, or import a breach corpus:
        </p>
        <CommandLine text="xpose corpus import FILE --name NAME" />
      </EmptyState>
    </section>
  );
}

function SourceTable({ sources }: { sources: readonly SourceBody[] }) {
  return (
    <section class="card flush" aria-label="Sources">
      <div class="table-frame">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Kind</th>
              <th scope="col">Reliability</th>
              <th scope="col">Last 24 hours</th>
              <th scope="col">Last run</th>
              <th scope="col" class="number">
                Mean time
              </th>
              <th scope="col" class="number">
                Quota left
              </th>
            </tr>
          </thead>
          <tbody>
            {sources.map((source) => (
              <tr key={source.name} class={source.day?.last.outcome === "failed" ? "failing" : ""}>
                <th scope="row">
                  <Foreign text={source.name} />
                  {source.origin === source.name ? null : (
                    <div class="quiet small">
                      origin <Foreign text={source.origin} />
                    </div>
                  )}
                  {source.state === "offline" ? <div class="quiet small">skipped while offline</div> : null}
                </th>
                <td>
                  <Foreign text={source.kind} />
                </td>
                <td>
                  <Reliability confidence={source.confidence} />
                </td>
                <td>
                  {source.day === null ? (
                    <span class="quiet">not asked</span>
                  ) : (
                    <>
                      <OutcomeStrip day={source.day} />
                      <span class="quiet small">{summary(source.day.outcomes)}</span>
                    </>
                  )}
                </td>
                <td>
                  <LastRun source={source} />
                </td>
                <td class="number">{source.day === null ? "–" : formatMs(source.day.mean_ms)}</td>
                <td class="number">
                  {source.day?.last.quota_left == null ? "–" : formatCount(source.day.last.quota_left)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function LastRun({ source: { day } }: { source: SourceBody }) {
  if (day === null) return <span class="quiet">–</span>;
  const { outcome, error, at } = day.last;
  return (
    <>
      <OutcomeLabel outcome={outcome} />{" "}
      <span class="quiet small">
        <Moment iso={at} as="age" />
      </span>
      {error === null ? null : (
        <div class="small">
          {explainError(error)}{" "}
          <span class="mono quiet">
            <Foreign text={error} />
          </span>
        </div>
      )}
    </>
  );
}
