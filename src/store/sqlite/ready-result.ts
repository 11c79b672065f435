import type { DataVersion, ScanFacts } from "../../domain/freshness.ts";
import type { ScanId } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { CompletedReply } from "../store.ts";
import type { Connection } from "./driver.ts";

/** A completed scan with what decides whether it is a hit, and what a hit answers. */
export type ReadyResult = { readonly facts: ScanFacts; readonly reply: CompletedReply };

const idLength = 36;

/**
 * The newest completed scan of each indicator and workspace as one text under an integer key. Reading one text costs a
 * tenth of reading ten columns of a scan by its index, and every hit does it (docs/performance.md).
 *
 * A body is one line, `<indicator hash> <workspace> <settings fingerprint> <corpora revision> <scan id> <as of>
 * <finished at> <0 or 1: partial> <digest>`, and the envelope behind it. No field holds a blank.
 */
export function readyResultTable(connection: Connection) {
  const find = connection.prepare<[number], string>("SELECT body FROM ready_result WHERE slot = ?").pluck();
  const save = connection.prepare("INSERT OR REPLACE INTO ready_result (slot, scan_id, body) VALUES (?, ?, ?)");

  return {
    /**
     * The result if it is of the current data. Null when it is of other data, when there is none, or when the slot is
     * taken by another indicator: then the scans themselves decide.
     */
    find(indicatorHash: string, workspaceId: WorkspaceId, current: DataVersion): ReadyResult | null {
      const body = find.get(slotOf(indicatorHash, workspaceId));
      const key = keyOf(indicatorHash, workspaceId, current);
      if (body === undefined || !body.startsWith(key)) return null;
      const end = body.indexOf("\n", key.length);
      const idEnd = key.length + idLength;
      const scanId = body.slice(key.length, idEnd) as ScanId;
      const [asOf, finishedAt, partial, digest = ""] = body.slice(idEnd + 1, end).split(" ");
      const isPartial = partial === "1";
      const times = { asOf: new Date(Number(asOf)), finishedAt: new Date(Number(finishedAt)) };
      return {
        facts: { id: scanId, state: "completed", data: current, isPartial, ...times },
        reply: { kind: "completed", scanId, envelopeTail: body.slice(end + 1), digest, isPartial },
      };
    },

    save(
      indicatorHash: string,
      workspaceId: WorkspaceId,
      { data, asOf, finishedAt }: { data: DataVersion; asOf: number; finishedAt: number },
      { scanId, envelopeTail, digest, isPartial }: CompletedReply,
    ): void {
      const head = `${keyOf(indicatorHash, workspaceId, data)}${scanId} ${asOf} ${finishedAt} ${isPartial ? 1 : 0} ${digest}`;
      save.run(slotOf(indicatorHash, workspaceId), scanId, `${head}\n${envelopeTail}`);
    },
  };
}

function keyOf(indicatorHash: string, workspaceId: WorkspaceId, data: DataVersion): string {
  return `${indicatorHash} ${workspaceId} ${data.settingsFingerprint} ${data.corporaRevision} `;
}

/** 53 bits: what a number of the language holds exactly. */
function slotOf(indicatorHash: string, workspaceId: WorkspaceId): number {
  return Number(Bun.hash.wyhash(indicatorHash + workspaceId) >> 11n);
}
