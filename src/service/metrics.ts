import { monitorEventLoopDelay } from "node:perf_hooks";
import type { RoundCounts, WatchTrigger } from "../domain/watch.ts";
import type { WebhookState } from "../store/port/webhook.ts";
import type { Quantiles } from "../wire/overview.ts";

/** Values that are read when the metrics are requested, instead of being counted. */
export type Gauges = {
  readonly auditDroppedCount: () => number;
  readonly auditWaitingCount: () => number;
  readonly logDroppedCount: () => number;
  readonly isDiskFull: () => boolean;
  /** False when the head of the audit trail is lost or does not belong to the trail. */
  readonly isAuditHeadKept: () => boolean;
  /** End of the served certificate; null without TLS. */
  readonly certificateNotAfter: () => Date | null;
};

/** Also used by `xpose doctor`. */
export const strangeForwardsMetric = "xpose_untrusted_forwarding_total";

export type Metrics = ReturnType<typeof openMetrics>;

type Sample = readonly [labels: Readonly<Record<string, string | number>>, value: number];
type Kind = "counter" | "gauge" | "histogram";

/** Upper bounds of the buckets of a duration, in milliseconds; the last bucket has no bound. */
const durationBoundsMs = [0.5, 1, 2.5, 5, 10, 25, 100, 500, 1000, 10_000, 60_000];

type Durations = { readonly counts: number[]; sumMs: number };
type Counter = { count: number };

const newMethods = () => new Map<string, Map<number, Counter>>();
const newStatuses = () => new Map<number, Counter>();
const newCounter = (): Counter => ({ count: 0 });
const newDurations = (): Durations => ({
  counts: [...durationBoundsMs, Number.POSITIVE_INFINITY].map(() => 0),
  sumMs: 0,
});

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/**
 * All metrics of the service. They contain no address, key or workspace. Counting is own code: it takes a tenth of the
 * time of a metrics library, and a hit has no time to spare (docs/performance.md).
 */
export function openMetrics(version: string, gauges: Gauges) {
  /** By route, method and status. */
  const requests: Map<string, Map<string, Map<number, Counter>>> = new Map();
  const durations = new Map<string, Durations>();
  let failOpenCount = 0;
  const watchRounds = new Map<string, { count: number; seconds: number; checked: number; failed: number }>();
  const webhookAttempts = new Map<string, number>();
  let webhooks: readonly { name: string; waitingCount: number; lagSeconds: number }[] = [];
  let strangeForwardCount = 0;
  let [bulkCount, bulkRowCount, bulkMs] = [0, 0, 0];
  const loopDelay = monitorEventLoopDelay({ resolution: 50 });
  loopDelay.enable();

  return {
    /** Counts one answered request. `path` is the pattern of its route; null = no route. */
    countRequest(method: string, path: string | null, status: number, durationMs: number): void {
      const route = path ?? "none";
      const ofMethod = entryOf(
        entryOf(requests, route, newMethods),
        knownMethods.has(method) ? method : "other",
        newStatuses,
      );
      entryOf(ofMethod, status, newCounter).count += 1;
      const histogram = entryOf(durations, route, newDurations);
      let bucket = 0;
      while (durationMs > (durationBoundsMs[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
      histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
      histogram.sumMs += durationMs;
    },

    countStrangeForward(): void {
      strangeForwardCount += 1;
    },

    countBulk(rowCount: number, durationMs: number): void {
      bulkCount += 1;
      bulkRowCount += rowCount;
      bulkMs += durationMs;
    },

    countFailOpen(count: number): void {
      failOpenCount += count;
    },

    /** The end of a round over a watch list. */
    countWatchRound(trigger: WatchTrigger, { checked, failed }: RoundCounts, seconds: number): void {
      const before = watchRounds.get(trigger) ?? { count: 0, seconds: 0, checked: 0, failed: 0 };
      watchRounds.set(trigger, {
        count: before.count + 1,
        seconds: before.seconds + seconds,
        checked: before.checked + checked,
        failed: before.failed + failed,
      });
    },

    countWebhook(name: string, outcome: string): void {
      const key = JSON.stringify({ webhook: name, outcome });
      webhookAttempts.set(key, (webhookAttempts.get(key) ?? 0) + 1);
    },

    setWebhooks(states: readonly WebhookState[], now: Date): void {
      webhooks = states.map(({ name, waitingCount, oldestAt }) => {
        const lagMs = oldestAt === null ? 0 : Math.max(0, now.getTime() - oldestAt.getTime());
        return { name, waitingCount, lagSeconds: lagMs / 1000 };
      });
    },

    eventLoopDelays: (): Quantiles => toQuantiles((quantile) => loopDelay.percentile(quantile * 100) / 1e6),

    /**
     * Response times of a route since the start; null before the first request. The precision is the width of a bucket.
     */
    durationsOf(path: string): Quantiles | null {
      let total = 0;
      const buckets = (durations.get(path)?.counts ?? []).map((count, index) => {
        total += count;
        return { belowMs: durationBoundsMs[index] ?? Number.POSITIVE_INFINITY, count: total };
      });
      return total === 0 ? null : toQuantiles((quantile) => withinBucket(buckets, quantile * total));
    },

    /** The text format of Prometheus, version 0.0.4. */
    render(): string {
      return [
        metric("xpose_build_info", "gauge", "Version of the program", [[{ version }, 1]]),
        metric("process_resident_memory_bytes", "gauge", "Resident memory of the process", [
          [{}, process.memoryUsage.rss()],
        ]),
        metric(
          "xpose_http_requests_total",
          "counter",
          "Answered requests by method, route and status",
          [...requests].flatMap(([path, methods]) =>
            [...methods].flatMap(([method, statuses]) =>
              [...statuses].map(([status, { count }]): Sample => [{ method, path, status }, count]),
            ),
          ),
        ),
        histogram(
          "xpose_http_request_duration_seconds",
          "Time from the arrival of a request to its answer, by route",
          durations,
        ),
        metric(
          "xpose_ratelimit_fail_open_total",
          "counter",
          "Requests that passed uncounted because the rate limit could not be read or written",
          [[{}, failOpenCount]],
        ),
        metric("xpose_bulk_total", "counter", "Lists that were taken", [[{}, bulkCount]]),
        metric("xpose_bulk_indicators_total", "counter", "Rows of the lists that were taken", [[{}, bulkRowCount]]),
        metric("xpose_bulk_accept_seconds_total", "counter", "Time that taking lists took, until they were stored", [
          [{}, bulkMs / 1000],
        ]),
        metric(
          "xpose_event_loop_delay_seconds",
          "gauge",
          "How late the event loop was since the start, by quantile",
          quantiles.map((quantile) => [{ quantile }, loopDelay.percentile(quantile * 100) / 1e9]),
        ),
        metric("xpose_watch_rounds_total", "counter", "Rounds over watch lists that ended, by trigger", [
          ...[...watchRounds].map(([trigger, { count }]): Sample => [{ trigger }, count]),
        ]),
        metric("xpose_watch_round_seconds_total", "counter", "Seconds that these rounds took, by trigger", [
          ...[...watchRounds].map(([trigger, { seconds }]): Sample => [{ trigger }, seconds]),
        ]),
        metric("xpose_watch_checks_total", "counter", "Addresses that rounds looked up, by trigger and outcome", [
          ...[...watchRounds].flatMap(([trigger, { checked, failed }]): Sample[] => [
            [{ trigger, outcome: "checked" }, checked],
            [{ trigger, outcome: "failed" }, failed],
          ]),
        ]),
        metric("xpose_webhook_attempts_total", "counter", "Attempts to deliver an event, by webhook and outcome", [
          ...[...webhookAttempts].map(([key, count]): Sample => [JSON.parse(key) as Record<string, string>, count]),
        ]),
        metric("xpose_webhook_lag_seconds", "gauge", "Age of the oldest event that a webhook has not delivered", [
          ...webhooks.map(({ name, lagSeconds }): Sample => [{ webhook: name }, lagSeconds]),
        ]),
        metric("xpose_webhook_waiting", "gauge", "Events that a webhook has not delivered", [
          ...webhooks.map(({ name, waitingCount }): Sample => [{ webhook: name }, waitingCount]),
        ]),
        metric("xpose_audit_waiting", "gauge", "Audit rows that wait for the database", [
          [{}, gauges.auditWaitingCount()],
        ]),
        metric(
          "xpose_audit_dropped_total",
          "counter",
          "Audit rows that were lost because too many waited for the database",
          [[{}, gauges.auditDroppedCount()]],
        ),
        metric(
          strangeForwardsMetric,
          "counter",
          "Requests with a forwarding header from a peer that server.trusted_proxies does not name",
          [[{}, strangeForwardCount]],
        ),
        metric(
          "xpose_log_dropped_total",
          "counter",
          "Lines of the log that were dropped because its reader was too slow",
          [[{}, gauges.logDroppedCount()]],
        ),
        metric(
          "xpose_disk_full",
          "gauge",
          "1 while the disk of the data directory is full: cached results are served, nothing is stored",
          [[{}, gauges.isDiskFull() ? 1 : 0]],
        ),
        metric(
          "xpose_audit_head_kept",
          "gauge",
          "1 while the head of the audit trail is kept beside the secret, 0 once it is lost or the trail does not go on from it",
          [[{}, gauges.isAuditHeadKept() ? 1 : 0]],
        ),
        certificateMetric(gauges.certificateNotAfter()),
      ].join("");
    },
  };
}

const quantiles = [0.5, 0.95, 0.99] as const;

function toQuantiles(at: (quantile: number) => number): Quantiles {
  const round = (ms: number) => Math.round(ms * 100) / 100;
  const [p50, p95, p99] = quantiles;
  return { p50: round(at(p50)), p95: round(at(p95)), p99: round(at(p99)) };
}

/** The value at this rank, if values are spread evenly within a bucket. Counts are cumulative. */
function withinBucket(buckets: readonly { belowMs: number; count: number }[], rank: number): number {
  const index = buckets.findIndex(({ count }) => count >= rank);
  const [bucket, before] = [buckets[index], buckets[index - 1] ?? { belowMs: 0, count: 0 }];
  if (bucket === undefined || bucket.belowMs === Number.POSITIVE_INFINITY) return before.belowMs;
  return before.belowMs + ((bucket.belowMs - before.belowMs) * (rank - before.count)) / (bucket.count - before.count);
}

const knownMethods = new Set(["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]);

function certificateMetric(notAfter: Date | null): string {
  if (notAfter === null) return "";
  const help = "End of the certificate that is served, in Unix time";
  return metric("xpose_tls_certificate_not_after_seconds", "gauge", help, [[{}, notAfter.getTime() / 1000]]);
}

function metric(name: string, kind: Kind, help: string, samples: readonly Sample[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${samples.map((sample) => line(name, sample)).join("")}`;
}

function histogram(name: string, help: string, routes: ReadonlyMap<string, Durations>): string {
  const lines = [...routes].map(([path, { counts, sumMs }]) => {
    let total = 0;
    const buckets = counts.map((count, index) => {
      total += count;
      const bound = durationBoundsMs[index];
      return line(`${name}_bucket`, [{ path, le: bound === undefined ? "+Inf" : bound / 1000 }, total]);
    });
    return `${buckets.join("")}${line(`${name}_sum`, [{ path }, sumMs / 1000])}${line(`${name}_count`, [{ path }, total])}`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${lines.join("")}`;
}

/** JSON and the format escape a quotation mark, a backslash and a line end in the same way. */
function line(name: string, [labels, value]: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(String(text))}`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}
