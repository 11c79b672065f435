import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What is read when the metrics are asked for, and not counted on the way. */
export type Gauges = {
  readonly auditDroppedCount: () => number;
  readonly auditWaitingCount: () => number;
};

export type Metrics = ReturnType<typeof openMetrics>;

/** Every metric of the service. None has an address, a key or a workspace in it. */
export function openMetrics(version: string, gauges: Gauges) {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: "xpose_http_requests_total",
    help: "Answered requests by method, route and status",
    labelNames: ["method", "path", "status"],
    registers,
  });
  const durations = new Histogram({
    name: "xpose_http_request_duration_seconds",
    help: "Time from the request's arrival to its answer, by route",
    labelNames: ["path"],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 10, 60],
    registers,
  });
  const failOpen = new Counter({
    name: "xpose_ratelimit_fail_open_total",
    help: "Requests that passed uncounted because the rate limit could not be read or written",
    registers,
  });
  new Gauge({ name: "xpose_build_info", help: "Version of the program", labelNames: ["version"], registers })
    .labels(version)
    .set(1);
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: "xpose_audit_waiting",
    help: "Audit rows that wait for the database",
    registers,
    collect() {
      this.set(gauges.auditWaitingCount());
    },
  });
  new Counter({
    name: "xpose_audit_dropped_total",
    help: "Audit rows that were lost because too many waited for the database",
    registers,
    collect() {
      this.reset();
      this.inc(gauges.auditDroppedCount());
    },
  });
  const loopDelay = monitorEventLoopDelay({ resolution: 50 });
  loopDelay.enable();
  new Gauge({
    name: "xpose_event_loop_delay_seconds",
    help: "How late the event loop was since the start, by quantile",
    labelNames: ["quantile"],
    registers,
    collect() {
      for (const quantile of quantiles) this.labels(String(quantile)).set(loopDelay.percentile(quantile * 100) / 1e9);
    },
  });
  // Bound once per combination: on the path of a hit a look-up by labels costs more than the count.
  const boundRequests = new Map<string, { inc: () => void }>();
  const boundDurations = new Map<string, { observe: (seconds: number) => void }>();

  return {
    /** One answered request; `path` is the pattern of its route, null = no route. */
    countRequest(method: string, path: string | null, status: number, durationMs: number): void {
      const route = path ?? "none";
      const known = knownMethods.has(method) ? method : "other";
      const key = `${known} ${status} ${route}`;
      const counter = boundRequests.get(key) ?? requests.labels(known, route, String(status));
      boundRequests.set(key, counter);
      counter.inc();
      const histogram = boundDurations.get(route) ?? durations.labels(route);
      boundDurations.set(route, histogram);
      histogram.observe(durationMs / 1000);
    },
    countFailOpen: (count: number): void => failOpen.inc(count),
    eventLoopDelays: (): Quantiles => toQuantiles((quantile) => loopDelay.percentile(quantile * 100) / 1e6),
    /** Times of answers on a route since the start; null before the first. Exact to the width of a bucket. */
    async durationsOf(path: string): Promise<Quantiles | null> {
      const { values } = await durations.get();
      const buckets = values
        .filter(({ labels, metricName }) => labels.path === path && metricName?.endsWith("_bucket") === true)
        .map(({ labels, value }) => ({ below: boundOf(labels), count: value }));
      const total = buckets.at(-1)?.count ?? 0;
      return total === 0 ? null : toQuantiles((quantile) => 1000 * withinBucket(buckets, quantile * total));
    },
    async render(): Promise<{ contentType: string; text: string }> {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** In milliseconds. */
export type Quantiles = { readonly p50: number; readonly p95: number; readonly p99: number };

const quantiles = [0.5, 0.95, 0.99] as const;

function toQuantiles(at: (quantile: number) => number): Quantiles {
  const round = (ms: number) => Math.round(ms * 100) / 100;
  const [p50, p95, p99] = quantiles;
  return { p50: round(at(p50)), p95: round(at(p95)), p99: round(at(p99)) };
}

/** The upper bound of a bucket, in seconds; the last one has none. */
function boundOf(labels: object): number {
  const { le } = labels as { le?: string | number };
  return le === undefined || le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
}

/** Where the value of this rank lies, taking values to be spread evenly within a bucket. Counts are cumulative. */
function withinBucket(buckets: readonly { below: number; count: number }[], rank: number): number {
  const index = buckets.findIndex(({ count }) => count >= rank);
  const [bucket, before] = [buckets[index], buckets[index - 1] ?? { below: 0, count: 0 }];
  if (bucket === undefined || bucket.below === Number.POSITIVE_INFINITY) return before.below;
  return before.below + ((bucket.below - before.below) * (rank - before.count)) / (bucket.count - before.count);
}

const knownMethods = new Set(["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]);
