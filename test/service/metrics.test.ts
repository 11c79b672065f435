import { expect, test } from "vitest";
import { openMetrics } from "../../src/service/metrics.ts";

const none = {
  auditDroppedCount: () => 0,
  auditWaitingCount: () => 0,
  logDroppedCount: () => 0,
  isDiskFull: () => false,
  isAuditHeadKept: () => true,
  certificateNotAfter: () => null,
};
const path = "/api/v1/soc/enrich";

test("the times of a route are told by quantile, within the bucket they fell in", () => {
  const metrics = openMetrics("1.0.0", none);
  expect(metrics.durationsOf(path)).toBe(null);
  for (let count = 0; count < 90; count += 1) metrics.countRequest("POST", path, 200, 2);
  for (let count = 0; count < 10; count += 1) metrics.countRequest("POST", path, 202, 60);
  metrics.countRequest("GET", "/healthz", 200, 5000);
  const { p50 = 0, p95 = 0, p99 = 0 } = metrics.durationsOf(path) ?? {};
  expect(p50).toBeGreaterThan(1);
  expect(p50).toBeLessThanOrEqual(2.5);
  expect(p95).toBeGreaterThan(25);
  expect(p99).toBeGreaterThan(p95);
  expect(p99).toBeLessThanOrEqual(100);
});

test("a time beyond the last bucket counts as its bound", () => {
  const metrics = openMetrics("1.0.0", none);
  metrics.countRequest("POST", path, 200, 90_000);
  expect(metrics.durationsOf(path)).toEqual({ p50: 60_000, p95: 60_000, p99: 60_000 });
});

test("how late the event loop was is a metric, and never negative", () => {
  const metrics = openMetrics("1.0.0", none);
  const { p50, p95, p99 } = metrics.eventLoopDelays();
  for (const value of [p50, p95, p99]) expect(value).toBeGreaterThanOrEqual(0);
  expect(metrics.render()).toMatch(/^xpose_event_loop_delay_seconds\{quantile="0.99"\} \d/m);
});

test.each([true, false])("a full disk and a head that is not kept are metrics: %s", (isSo) => {
  const gauges = { ...none, isDiskFull: () => isSo, isAuditHeadKept: () => !isSo };
  const text = openMetrics("1.0.0", gauges).render();
  expect(text).toMatch(isSo ? /^xpose_disk_full 1$/m : /^xpose_disk_full 0$/m);
  expect(text).toMatch(isSo ? /^xpose_audit_head_kept 0$/m : /^xpose_audit_head_kept 1$/m);
});

test("the end of the certificate is a metric where TLS is served", () => {
  const name = "xpose_tls_certificate_not_after_seconds";
  expect(openMetrics("1.0.0", none).render()).not.toContain(name);
  const certificateNotAfter = () => new Date("2026-06-01T12:00:00Z");
  expect(openMetrics("1.0.0", { ...none, certificateNotAfter }).render()).toContain(`\n${name} 1780315200\n`);
});

test("lines of the log that were dropped are a metric", () => {
  const text = openMetrics("1.0.0", { ...none, logDroppedCount: () => 7 }).render();
  expect(text).toMatch(/^xpose_log_dropped_total 7$/m);
});
