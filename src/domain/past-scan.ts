import type { Reach } from "../wire/case.ts";
import type { PastScanBody } from "../wire/history.ts";
import type { FinishedState, ScanId } from "./scan.ts";
import { timestamp } from "./time.ts";

/** A finished scan of an indicator, without its findings (docs/pipeline.md 17.3). */
export type PastScan = {
  readonly scanId: ScanId;
  readonly state: FinishedState;
  readonly finishedAt: Date;
  readonly isPartial: boolean;
  readonly reach: Reach;
  /** Null for a failed scan, as `total`. */
  readonly digest: string | null;
  readonly total: number | null;
};

/** A row of the history. A failed scan has no numbers, because silence must not read as clean. */
export function pastScanBody({ scanId, state, finishedAt, isPartial, reach, digest, total }: PastScan): PastScanBody {
  const partial = state === "completed" ? isPartial : null;
  return { request_id: scanId, status: state, finished_at: timestamp(finishedAt), partial, reach, digest, total };
}
