import type { DataVersion, ScanFacts } from "../../domain/freshness.ts";
import type { ScanId } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { CompletedReply } from "../store.ts";
import type { Connection } from "./driver.ts";

/** A completed scan with what decides whether it is a hit, and what a hit answers. */
export type ReadyResult = { readonly facts: ScanFacts; readonly reply: CompletedReply };

/** Fields of a body, in its first line; the envelope follows. None of them holds a blank or a line end. */
const fieldCount = 9;

/**
 * The newest completed scan of each indicator and workspace as one text under an integer key. Reading one text costs a
 * tenth of reading ten columns of a scan by its index, and every hit does it (docs/performance.md).
 */
export function readyResultTable(connection: Connection) {
  const find = connection.prepare<[number], string>("SELECT body FROM ready_result WHERE slot = ?").pluck();
  const save = connection.prepare("INSERT OR REPLACE INTO ready_result (slot, scan_id, body) VALUES (?, ?, ?)");

  return {
    /** Null when there is none, or the slot is taken by another indicator: then the scans themselves decide. */
    find(indicatorHash: string, workspaceId: WorkspaceId): ReadyResult | null {
      const body = find.get(slotOf(indicatorHash, workspaceId));
      if (body === undefined || !body.startsWith(`${indicatorHash} ${workspaceId} `)) return null;
      const end = body.indexOf("\n");
      const fields = body.slice(0, end).split(" ");
      const [, , id, settingsFingerprint = "", corporaRevision = "", asOf, finishedAt, partial, digest = ""] = fields;
      if (fields.length !== fieldCount) return null;
      const scanId = id as ScanId;
      const isPartial = partial === "1";
      return {
        facts: {
          id: scanId,
          state: "completed",
          data: { settingsFingerprint, corporaRevision },
          asOf: new Date(Number(asOf)),
          finishedAt: new Date(Number(finishedAt)),
          isPartial,
        },
        reply: { kind: "completed", scanId, envelopeTail: body.slice(end + 1), digest, isPartial },
      };
    },

    save(
      indicatorHash: string,
      workspaceId: WorkspaceId,
      { data, asOf, finishedAt }: { data: DataVersion; asOf: number; finishedAt: number },
      { scanId, envelopeTail, digest, isPartial }: CompletedReply,
    ): void {
      const { settingsFingerprint, corporaRevision } = data;
      const times = [asOf, finishedAt, isPartial ? 1 : 0];
      const head = [indicatorHash, workspaceId, scanId, settingsFingerprint, corporaRevision, ...times, digest];
      save.run(slotOf(indicatorHash, workspaceId), scanId, `${head.join(" ")}\n${envelopeTail}`);
    },
  };
}

/** 53 bits: what a number of the language holds exactly. */
function slotOf(indicatorHash: string, workspaceId: WorkspaceId): number {
  return Number(Bun.hash.wyhash(`${indicatorHash} ${workspaceId}`) >> 11n);
}
