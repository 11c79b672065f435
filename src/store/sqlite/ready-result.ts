import type { CompletedReply } from "../../domain/call.ts";
import { envelopeText } from "../../domain/envelope.ts";
import type { DataVersion, ScanFacts } from "../../domain/freshness.ts";
import type { ScanId } from "../../domain/scan.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Connection } from "./driver.ts";

/** A completed scan: the facts that decide whether it is a hit, and the reply to a hit. */
export type ReadyResult = { readonly facts: ScanFacts; readonly reply: CompletedReply };

/** A workspace and the data that it can see, in the form of the rows. Made once for all calls of a key in a batch. */
export type View = { readonly data: DataVersion; readonly name: string; readonly seed: bigint };

type NewResult = {
  readonly scanId: ScanId;
  readonly asOf: Date;
  readonly finishedAt: Date;
  readonly isPartial: boolean;
  readonly digest: string;
  readonly omittedCount: number;
  readonly failedSources: readonly string[];
  readonly envelopeTail: string;
};

const nameLength = 32;
const timeLength = 15;
/** Offsets of the fields in a body. Each field ends one character before the next begins. */
const hashAt = nameLength + 1;
const idAt = hashAt + 64 + 1;
const asOfAt = idAt + 36 + 1;
const finishedAt = asOfAt + timeLength + 1;
const partialAt = finishedAt + timeLength + 1;
const digestAt = partialAt + 1 + 1;

/**
 * The newest completed scan of each indicator and workspace, as one text under an integer key. Every hit reads it, and
 * reading one text takes a tenth of the time of reading ten columns of a scan by its index (docs/performance.md).
 *
 * A body is one line: `<view> <indicator hash> <scan id> <as of> <finished at> <0 or 1: partial> <digest>`, and last the
 * envelope as it is sent for a hit. Where there are any, the line goes on with the number of findings that the envelope
 * leaves out and the names of the sources that failed. All fields up to the digest have fixed lengths.
 */
export function readyResultTable(connection: Connection) {
  const find = connection.prepare<[number], string>("SELECT body FROM ready_result WHERE slot = ?").pluck();
  const save = connection.prepare("INSERT OR REPLACE INTO ready_result (slot, scan_id, body) VALUES (?, ?, ?)");

  return {
    /**
     * The result if it is based on the data of the view. Null when it is based on other data, when there is no result,
     * or when another indicator uses the slot. The scans themselves decide then.
     */
    find(indicatorHash: string, view: View): ReadyResult | null {
      const body = find.get(slotOf(indicatorHash, view));
      if (body === undefined || !body.startsWith(view.name) || !body.startsWith(indicatorHash, hashAt)) return null;
      const scanId = body.slice(idAt, asOfAt - 1) as ScanId;
      const isPartial = body[partialAt] === "1";
      const end = body.indexOf("\n", digestAt);
      const [digest = "", omitted = "0", failed = ""] = body.slice(digestAt, end).split(" ");
      const finished = timeAt(body, finishedAt);
      return {
        facts: {
          id: scanId,
          state: "completed",
          data: view.data,
          isPartial,
          asOf: timeAt(body, asOfAt),
          finishedAt: finished,
          reach: "full",
          // Not stored: a question with a `max_age` reads the scans themselves.
          requestedAt: finished,
          freshSince: null,
          oldestAnswerAt: null,
        },
        reply: {
          kind: "completed",
          scanId,
          envelope: body.slice(end + 1),
          digest,
          isPartial,
          omittedCount: Number(omitted),
          failedSources: failed === "" ? none : failed.split(","),
        },
      };
    },

    save(indicatorHash: string, view: View, result: NewResult): void {
      const { scanId, isPartial, digest, omittedCount, failedSources, envelopeTail } = result;
      const [since, at] = [timeText(result.asOf), timeText(result.finishedAt)];
      const head = [view.name, indicatorHash, scanId, since, at, isPartial ? "1" : "0", digest];
      if (omittedCount > 0 || failedSources.length > 0) head.push(String(omittedCount));
      if (failedSources.length > 0) head.push(failedSources.join(","));
      save.run(slotOf(indicatorHash, view), scanId, `${head.join(" ")}\n${envelopeText(scanId, "hit", envelopeTail)}`);
    },
  };
}

const none: readonly string[] = [];

/** The name is 128 bits, in hexadecimal, of a SHA-256 over all values that must be equal for a result to be current. */
export function viewOf(workspaceId: WorkspaceId, data: DataVersion): View {
  const text = `${workspaceId} ${data.settingsFingerprint} ${data.corporaRevision}`;
  const name = sha256Hex(text).slice(0, nameLength);
  return { data, name, seed: Bun.hash.wyhash(workspaceId) };
}

/** The key of an indicator in a workspace, whatever its data: 53 bits, which a number of JavaScript holds exactly. */
function slotOf(indicatorHash: string, { seed }: View): number {
  return Number(Bun.hash.wyhash(indicatorHash, seed) >> 11n);
}

function timeText(at: Date): string {
  return String(at.getTime()).padStart(timeLength, "0");
}

function timeAt(body: string, start: number): Date {
  return new Date(Number(body.slice(start, start + timeLength)));
}
