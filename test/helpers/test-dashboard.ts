import { gzipSync } from "node:zlib";
import type { Dashboard } from "../../src/http/dashboard.ts";
import { parseBundle } from "../../src/http/dashboard-files.ts";
import { openThrottle } from "../../src/http/throttle.ts";
import type { Live } from "../../src/scans/live.ts";
import type { ManualClock } from "./manual-clock.ts";

const file = (type: string, text: string) => ({ type, gzip: gzipSync(text).toString("base64") });

/** The dashboard data that `serve` provides, with a page of three lines and constant measurements. */
export function testDashboard(clock: ManualClock, live: () => Live): Dashboard {
  const page = parseBundle(
    JSON.stringify({
      "index.html": file("text/html; charset=utf-8", "<!doctype html><title>xpose</title>"),
      "app-0a1b2c3d.js": file("text/javascript; charset=utf-8", "export {};"),
    }),
  );
  return {
    page: () => page,
    version: "0.0.0",
    sourceUrl: null,
    startedAt: clock.now(),
    lookUps: openThrottle(60, 60_000, clock.steadyNow),
    live,
    measure: () => ({ answers: null, eventLoop: { p50: 0, p95: 0, p99: 0 }, memoryBytes: 1 }),
    disk: () => ({ freeBytes: 1, totalBytes: 2, databaseBytes: 1 }),
  };
}
