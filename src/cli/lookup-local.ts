import type { OpenStore } from "../data-directory/data-directory.ts";
import { type BulkId, type BulkState, bulkResult, readList } from "../domain/bulk.ts";
import type { Call, CallRules, ReplyBody } from "../domain/call.ts";
import { noOptions } from "../domain/enrich-options.ts";
import { indicatorHash } from "../domain/keyed-hash.ts";
import type { ClaimedScan, ScanId } from "../domain/scan.ts";
import { atOnce } from "../domain/steps.ts";
import type { WorkspaceId } from "../domain/workspace.ts";
import { entropy } from "../entropy.ts";
import type { Live } from "../scans/live.ts";
import { areAskedTogether, runGroup } from "../scans/run-group.ts";
import { runScan, type ScanTools } from "../scans/run-scan.ts";
import { leaseMs } from "../scans/runner.ts";
import type { Envelope } from "../wire/envelope.ts";
import type { LookupResult } from "./lookup-rows.ts";
import { type Lookup, severityCounts } from "./lookup-service.ts";
import { commandActor } from "./person.ts";

type Tools = Pick<OpenStore, "store" | "keys"> & { readonly live: Live; readonly log: ScanTools["log"] };
type Options = { readonly workspaceId: WorkspaceId; readonly isCachedOnly: boolean };

/** Scans that are claimed and run together. */
const scansPerGroup = 256;
const rowsPerRead = 200;

/**
 * Looks addresses up in the data directory. Each list is one entry of the audit trail. What is not there is scanned by this
 * command itself, unless only what is cached was asked for.
 */
export function lookUpLocally({ store, keys, live, log }: Tools, { workspaceId, isCachedOnly }: Options): Lookup {
  const { now } = entropy;
  const author = {
    caller: { workspaceId, actor: commandActor() },
    from: { ip: null, correlationId: null },
    fault: null,
  };
  const rules = (): CallRules => ({ ...live, now: now(), steadyNow: now(), outcomeOf });
  const tools = { store, now, steadyNow: () => performance.now(), log };
  const owner = `command:${entropy.newId()}`;

  async function serve(calls: readonly Call[]) {
    const replies = [];
    // Long replies fill a transaction; the calls behind them are served by the next one.
    while (replies.length < calls.length)
      replies.push(...(await store.handleCalls(calls.slice(replies.length), rules(), [])));
    for (const reply of replies) if (reply.kind === "refused") throw reply.error;
    return replies;
  }

  async function scan(missing: readonly BulkState[]): Promise<void> {
    for (let start = 0; start < missing.length; start += scansPerGroup) {
      const leaseUntil = new Date(now().getTime() + live.scanTimeoutMs + leaseMs);
      const calls = missing.slice(start, start + scansPerGroup).map(({ value, indicatorHash: hash }): Call => {
        const runner = { owner, leaseUntil, isRefresh: false };
        const indicator = { type: "email", value: value ?? "" } as const;
        const newScanId = entropy.newId() as ScanId;
        return {
          kind: "enrich",
          ...author,
          indicator,
          indicatorHash: hash ?? "",
          newScanId,
          options: noOptions,
          runner,
        };
      });
      const claimed = (await serve(calls)).flatMap((reply) => (reply.kind === "claimed" ? [reply.scan] : []));
      await run(claimed);
    }
  }

  async function run(scans: readonly ClaimedScan[]): Promise<void> {
    const [first] = scans;
    if (first === undefined) return;
    const sources = live.sourcesOf(first.workspace, await store.listCorpora());
    const { signal } = new AbortController();
    if (areAskedTogether(sources)) {
      await runGroup({ scans, sources, live, signal }, tools);
      return;
    }
    const queue = [...scans];
    const work = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        await runScan({ scan: next, sources, live, isRefresh: false, signal }, tools);
      }
    };
    await Promise.all(Array.from({ length: live.concurrency }, work));
  }

  /** The rows of a list as it stands in the cache. */
  async function look(addresses: readonly (string | null)[]): Promise<BulkState[]> {
    const given = addresses.map((value) => ({ type: "email", value }));
    const hashOf = (indicator: Parameters<typeof indicatorHash>[1]) => indicatorHash(keys, indicator);
    const list = atOnce(readList(given, { hashOf, newScanId: () => entropy.newId() as ScanId }));
    const bulkId = entropy.newId() as BulkId;
    await serve([{ kind: "bulk", ...author, bulkId, list, options: { ...noOptions, isCachedOnly: true } }]);
    const rows: BulkState[] = [];
    while (rows.length < addresses.length) {
      const wanted = { from: rows.length, maxCount: rowsPerRead, envelopesUpTo: 1 << 22 };
      rows.push(...(await store.readBulkRows(workspaceId, bulkId, wanted)));
    }
    return rows;
  }

  return async (addresses) => {
    const cached = await look(addresses);
    const missing = new Map(
      cached.flatMap((row) => (row.error?.code === "not_cached" ? [[row.indicatorHash, row] as const] : [])),
    );
    if (isCachedOnly || missing.size === 0) return cached.map(toResult);
    await scan([...missing.values()]);
    const after = new Map((await look([...missing.values()].map(({ value }) => value))).map((row) => [row.value, row]));
    // A scan that failed is no result, so it is still not there.
    return cached.map((row) => {
      if (row.error?.code !== "not_cached") return toResult(row);
      const result = toResult(after.get(row.value) ?? row);
      return result.status === "not_cached" ? { ...result, status: "failed" } : result;
    });
  };
}

function outcomeOf(reply: ReplyBody): string {
  return reply.kind === "refused" ? "failed" : "ok";
}

function toResult(row: BulkState): LookupResult {
  const { status, total, failed_sources, request_id } = bulkResult(row);
  const tail = row.scan?.envelopeTail ?? null;
  const counts = tail === null ? null : countsIn(tail);
  return { status, total, ...severityCounts(counts), sourcesFailed: failed_sources, requestId: request_id };
}

/** Behind the findings, of which there may be a megabyte, only the counts and a constant text follow. */
function countsIn(envelopeTail: string): Envelope["exposure"]["by_severity"] {
  const name = '"by_severity":';
  const start = envelopeTail.lastIndexOf(name) + name.length;
  return JSON.parse(envelopeTail.slice(start, envelopeTail.indexOf("}", start) + 1));
}
