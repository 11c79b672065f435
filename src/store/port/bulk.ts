import type { BulkId, BulkState } from "../../domain/bulk.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";

/** Lists of indicators that were asked for in one call. `CallStore` stores them, with their scans. */
export interface BulkStore {
  /**
   * The rows of a list from a position on, in the order of the input, as far as they fit; empty at its end, and when there is no
   * such list in the workspace.
   */
  readBulkRows(workspaceId: WorkspaceId, bulkId: BulkId, wanted: WantedRows): Promise<BulkState[]>;
  /** The first row of a list whose scan is not over; null when all are. */
  findPending(workspaceId: WorkspaceId, bulkId: BulkId): Promise<BulkState | null>;
}

export type WantedRows = {
  readonly from: number;
  readonly maxCount: number;
  /** With the envelopes; the rows end behind the one that makes them longer than this, in UTF-16 units. Null = without. */
  readonly envelopesUpTo: number | null;
};
