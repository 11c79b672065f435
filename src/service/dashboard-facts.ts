import { statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import bundle from "../../dist/dashboard.bundle" with { type: "text" };
import type { Config } from "../config/config.ts";
import type { Dashboard } from "../http/dashboard.ts";
import { type DashboardFiles, parseBundle } from "../http/dashboard-files.ts";
import { openThrottle } from "../http/throttle.ts";
import type { Live } from "../scans/live.ts";
import { version } from "../version.ts";
import type { Metrics } from "./metrics.ts";

const lookUpsPerMinute = 60;
/** The route whose response times the overview shows. */
const enrichRoute = "/api/v1/soc/enrich";

type DashboardTools = {
  readonly config: Config;
  readonly live: () => Live;
  readonly metrics: Metrics;
  readonly now: () => Date;
  readonly steadyNow: () => number;
};

/** The facts about the process and its machine that the dashboard shows. */
export function openDashboard({ config, live, metrics, now, steadyNow }: DashboardTools): Dashboard {
  let page: DashboardFiles | null = null;
  return {
    // Read with the first request, so that the start does not wait for a page that may never be opened.
    page: () => {
      page ??= parseBundle(bundle);
      return page;
    },
    version,
    sourceUrl: config.server.sourceUrl,
    startedAt: now(),
    lookUps: openThrottle(lookUpsPerMinute, 60_000, steadyNow),
    live,
    measure() {
      const answers = metrics.durationsOf(enrichRoute);
      return { answers, eventLoop: metrics.eventLoopDelays(), memoryBytes: process.memoryUsage.rss() };
    },
    disk() {
      try {
        const { bavail, blocks, bsize } = statfsSync(config.dataDir);
        const database = statSync(join(config.dataDir, "xpose.db"), { throwIfNoEntry: false });
        return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, databaseBytes: database?.size ?? 0 };
      } catch {
        // An unreadable directory is reported elsewhere. The overview leaves out this figure.
        return null;
      }
    },
  };
}
