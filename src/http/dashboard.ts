import type { Live } from "../scans/live.ts";
import type { Quantiles } from "../wire/overview.ts";
import type { DashboardFiles } from "./dashboard-files.ts";
import type { Throttle } from "./throttle.ts";

/** Data of the dashboard that the API does not need. */
export type Dashboard = {
  readonly page: () => DashboardFiles;
  readonly version: string;
  /** `server.source_url`; null when it is not set. */
  readonly sourceUrl: string | null;
  readonly startedAt: Date;
  /** Limits the look-ups from the dashboard, per operator. */
  readonly lookUps: Throttle;
  readonly live: () => Live;
  /** Measurements of this process since its start: answer times of routes, event loop delay, memory. */
  readonly measure: () => Measures;
  /** Space of the file system that holds the data directory; null when it cannot be read. */
  readonly disk: () => DiskSpace | null;
};

export type Measures = {
  /** Null before the first answer. */
  readonly answers: Quantiles | null;
  readonly eventLoop: Quantiles;
  readonly memoryBytes: number;
};

export type DiskSpace = { readonly freeBytes: number; readonly totalBytes: number; readonly databaseBytes: number };
