import type { ComponentChildren } from "preact";
import type { CorpusBody } from "../wire/corpus.ts";
import type { Overview } from "../wire/overview.ts";
import type { SourceDay } from "../wire/source.ts";
import { Chart } from "./chart.tsx";
import { CommandLine } from "./command-line.tsx";
import { useData } from "./data.ts";
import { EmptyState } from "./empty-state.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { Foreign } from "./foreign.tsx";
import { formatBytes, formatCount, formatDuration, formatMs, formatPercent, plural } from "./format.ts";
import { Meter } from "./meter.tsx";
import { Moment } from "./moment.tsx";
import { OutcomeLabel } from "./outcome.tsx";
import { OutcomeStrip } from "./outcome-strip.tsx";
import type { Theme } from "./theme.ts";

const refreshMs = 10_000;

export function OverviewPage({ theme }: { theme: Theme }) {
  const { body, fault, reload } = useData<Overview>("/dashboard/overview", refreshMs);
  return (
    <>
      <div class="row spread">
        <h1>Overview</h1>
        <span class="quiet small">Last 24 hours, UTC. Refreshed every 10 s.</span>
      </div>
      {fault === null ? null : <FaultNotice fault={fault} retry={() => void reload()} />}
      {body === null ? null : <Figures overview={body} theme={theme} />}
    </>
  );
}

function Figures({ overview, theme }: { overview: Overview; theme: Theme }) {
  const { hours, scans, answers_ms: answers, sources } = overview;
  const total = (of: "requests" | "hits" | "polls") => hours.reduce((sum, hour) => sum + hour[of], 0);
  const [requests, hits, polls] = [total("requests"), total("hits"), total("polls")];
  const times = hours.map(({ hour }) => hour);
  return (
    <>
      <div class="tiles">
        <Tile title="Requests" value={formatCount(requests)} note={`and ${plural(polls, "poll")}`} />
        <Tile
          title="Hit rate"
          value={requests === 0 ? "–" : formatPercent(hits / requests)}
          note={requests === 0 ? "no request yet" : `${formatCount(hits)} from the cache`}
        />
        <Tile
          title="Answer time, 95 %"
          value={answers === null ? "–" : formatMs(answers.p95)}
          note={answers === null ? "no answer yet" : `median ${formatMs(answers.p50)}, 99 % ${formatMs(answers.p99)}`}
        />
        <Tile title="Scans" value={formatCount(scans.running)} note={`running, ${formatCount(scans.queued)} queued`} />
      </div>
      <div class="columns wide-first">
        <section class="card" aria-labelledby="requests-title">
          <h2 id="requests-title">Requests per hour</h2>
          <Chart
            title="Requests per hour"
            times={times}
            kind="bars"
            height={190}
            theme={theme}
            format={formatCount}
            series={[
              { name: "Requests", colour: "--chart-soft", values: hours.map((hour) => hour.requests) },
              { name: "Hits", colour: "--chart", values: hours.map((hour) => hour.hits) },
            ]}
          />
        </section>
        <section class="card" aria-labelledby="rate-title">
          <h2 id="rate-title">Hit rate per hour</h2>
          <Chart
            title="Hit rate per hour"
            times={times}
            kind="line"
            height={190}
            max={1}
            theme={theme}
            format={(value) => `${Math.round(100 * value)} %`}
            series={[
              {
                name: "Hit rate",
                colour: "--chart",
                values: hours.map((hour) => (hour.requests === 0 ? null : hour.hits / hour.requests)),
              },
            ]}
          />
        </section>
      </div>
      <div class="columns wide-first">
        <SourcesCard sources={sources} />
        <ApplianceCard overview={overview} />
      </div>
      <CorporaCard corpora={overview.corpora} />
    </>
  );
}

function Tile({ title, value, note }: { title: string; value: string; note: string }) {
  return (
    <section class="card tile">
      <h2>{title}</h2>
      <p class="figure">{value}</p>
      <p class="quiet small">{note}</p>
    </section>
  );
}

function SourcesCard({ sources }: { sources: readonly SourceDay[] }) {
  return (
    <section class="card" aria-labelledby="sources-title">
      <div class="row spread">
        <h2 id="sources-title">Sources</h2>
        <a href="#/sources">All sources</a>
      </div>
      {sources.length === 0 ? (
        <EmptyState icon="sources" title="No source was asked in the last 24 hours">
          <p>
            <a href="#/look-up">Look up an address</a> to see the results of each source here, hour by hour.
          </p>
        </EmptyState>
      ) : (
        <ul class="source-days">
          {sources.map((day) => (
            <li key={day.source}>
              <span class="source-name">
                <Foreign text={day.source} />
              </span>
              <OutcomeStrip day={day} />
              <OutcomeLabel outcome={day.last.outcome} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function ApplianceCard({ overview }: { overview: Overview }) {
  const { disk, version, started_at: startedAt, at, memory_bytes: memory, event_loop_ms: loop } = overview;
  const usedShare = disk === null ? 0 : 1 - disk.free_bytes / disk.total_bytes;
  return (
    <section class="card" aria-labelledby="appliance-title">
      <h2 id="appliance-title">Appliance</h2>
      <dl class="facts">
        <Fact title="Version">
          <Foreign text={version} />
        </Fact>
        <Fact title="Up for">{formatDuration(Date.parse(at) - Date.parse(startedAt))}</Fact>
        <Fact title="Disk">
          {disk === null ? (
            "cannot be read"
          ) : (
            <>
              {formatBytes(disk.free_bytes)} free of {formatBytes(disk.total_bytes)}
              <Meter share={usedShare} label={`${Math.round(usedShare * 100)} % of the disk is used`} />
            </>
          )}
        </Fact>
        <Fact title="Database">{disk === null ? "–" : formatBytes(disk.database_bytes)}</Fact>
        <Fact title="Memory">{formatBytes(memory)}</Fact>
        <Fact title="Event loop, 99 %">{formatMs(loop.p99)} late</Fact>
      </dl>
    </section>
  );
}

function Fact({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </>
  );
}

function CorporaCard({ corpora }: { corpora: readonly CorpusBody[] }) {
  const largest = Math.max(1, ...corpora.map(({ records }) => records));
  return (
    <section class="card" aria-labelledby="corpora-title">
      <div class="row spread">
        <h2 id="corpora-title">Breach corpora</h2>
        <a href="#/corpora">All corpora</a>
      </div>
      {corpora.length === 0 ? (
        <EmptyState icon="corpora" title="No breach corpus yet">
          <p>Import a file once, and every look-up uses it without a network:</p>
          <CommandLine text="xpose corpus import FILE --name NAME" />
        </EmptyState>
      ) : (
        <div class="table-frame">
          <table>
            <thead>
              <tr>
                <th scope="col">Corpus</th>
                <th scope="col" class="number">
                  Records
                </th>
                <th scope="col">
                  <span class="unseen">Beside the largest</span>
                </th>
                <th scope="col" class="number">
                  Size
                </th>
                <th scope="col">Newest import</th>
              </tr>
            </thead>
            <tbody>
              {corpora.slice(0, 8).map((corpus) => (
                <tr key={corpus.name}>
                  <th scope="row">
                    <Foreign text={corpus.name} />
                  </th>
                  <td class="number">{formatCount(corpus.records)}</td>
                  <td class="bar-cell">
                    <div class="bar" style={{ width: `${Math.max(1, (100 * corpus.records) / largest)}%` }} />
                  </td>
                  <td class="number">{formatBytes(corpus.bytes)}</td>
                  <td>
                    <Moment iso={corpus.imports.at(-1)?.imported_at ?? null} as="age" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
