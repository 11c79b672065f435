import type { Live } from "../scans/live.ts";
import type { Quantiles } from "../wire/overview.ts";
import type { DashboardFiles } from "./dashboard-files.ts";
import type { Throttle } from "./throttle.ts";

/** What the dashboard shows and the API does not need. */
export type Dashboard = {
  readonly page: () => DashboardFiles;
  readonly version: string;
  /** `server.source_url`; null when it is not set. */
  readonly sourceUrl: string | null;
  readonly startedAt: Date;
  /** Look-ups from the page, per operator. */
  readonly lookUps: Throttle;
  readonly live: () => Live;
  /** Of this process since its start: times of answers on a route, and how late its event loop was. */
  readonly measure: () => Measures;
  /** Of the file system that holds the data directory; null when it cannot be read. */
  readonly disk: () => DiskSpace | null;
};

export type Measures = {
  /** Null before the first answer. */
  readonly answers: Quantiles | null;
  readonly eventLoop: Quantiles;
  readonly memoryBytes: number;
};

export type DiskSpace = { readonly freeBytes: number; readonly totalBytes: number; readonly databaseBytes: number };
