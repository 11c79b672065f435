import { timingSafeEqual } from "node:crypto";
import { admit, invalidApiKey, planRequired } from "../../domain/admission.ts";
import { AppError } from "../../domain/error.ts";
import { decide, isRetained } from "../../domain/freshness.ts";
import type { ScanId } from "../../domain/scan.ts";
import { hasApiAccess, type Plan, type WorkspaceId } from "../../domain/workspace.ts";
import type { Call, Caller, CallRules, EnrichCall, PollCall, Reply } from "../store.ts";
import type { Connection } from "./driver.ts";
import { type scanTable, toCompleted } from "./scan.ts";
import { toDate } from "./workspace.ts";

type KeyRow = {
  id: string;
  hash: string;
  last_used_at: number | null;
  expires_at: number | null;
  revoked_at: number | null;
} & WorkspaceRow;
type WorkspaceRow = {
  workspace_id: WorkspaceId;
  workspace_name: string;
  plan: Plan;
  disabled_at: number | null;
  corpora_revision: string;
};

/** `last_used_at` is exact to this many milliseconds, so that a busy key is not written with every call (CONTRACT.md 9.2). */
const lastUsedStepMs = 60_000;

/** What the calls of one transaction share: facts are read once per batch, never kept longer. */
type Batch = {
  readonly rules: CallRules;
  /** Set when the database cannot be written: what needs a write is refused with it. */
  readonly fault: AppError | null;
  readonly keys: Map<string, KeyRow | null>;
  unfinishedCount: number | null;
};

export function callHandler(connection: Connection, scans: ReturnType<typeof scanTable>) {
  const keyByHash = connection.prepare<[string], KeyRow>(
    `SELECT k.id, k.hash, k.last_used_at, k.expires_at, k.revoked_at,
       w.id AS workspace_id, w.name AS workspace_name, w.plan, w.disabled_at, w.corpora_revision
     FROM api_key k JOIN workspace w ON w.id = k.workspace_id WHERE k.hash = ?`,
  );
  const workspaceById = connection.prepare<[string], WorkspaceRow>(
    "SELECT id AS workspace_id, name AS workspace_name, plan, disabled_at, corpora_revision FROM workspace WHERE id = ?",
  );
  const setLastUsed = connection.prepare("UPDATE api_key SET last_used_at = ? WHERE id = ?");

  function findKey(keyHash: string, batch: Batch): KeyRow | null {
    const known = batch.keys.get(keyHash);
    if (known !== undefined) return known;
    const row = keyByHash.get(keyHash) ?? null;
    const isEqual = row !== null && timingSafeEqual(Buffer.from(row.hash, "hex"), Buffer.from(keyHash, "hex"));
    const key = isEqual ? row : null;
    batch.keys.set(keyHash, key);
    return key;
  }

  /** The workspace that the caller may act in. Throws what the caller is told otherwise. */
  function admitted(caller: Caller, batch: Batch): WorkspaceRow {
    if ("workspaceId" in caller) return admittedWorkspace(caller.workspaceId);
    const key = caller.keyHash === null ? null : findKey(caller.keyHash, batch);
    const facts = key === null ? null : { revokedAt: toDate(key.revoked_at), expiresAt: toDate(key.expires_at) };
    const workspace = key === null ? null : { plan: key.plan, disabledAt: toDate(key.disabled_at) };
    const refusal = admit(facts, workspace, batch.rules.now);
    if (refusal !== null || key === null) throw refusal ?? invalidApiKey();
    const now = batch.rules.now.getTime();
    if (batch.fault === null && Math.abs(now - (key.last_used_at ?? 0)) >= lastUsedStepMs) {
      setLastUsed.run(now, key.id);
      key.last_used_at = now;
    }
    return key;
  }

  function admittedWorkspace(id: WorkspaceId): WorkspaceRow {
    const workspace = workspaceById.get(id);
    if (workspace === undefined) throw new AppError("not_found", "There is no such workspace");
    if (workspace.disabled_at !== null) throw new AppError("conflict", "The workspace is disabled");
    if (!hasApiAccess(workspace.plan)) throw planRequired();
    return workspace;
  }

  function enrich(call: EnrichCall, batch: Batch): Reply {
    const workspace = admitted(call.caller, batch);
    if (call.fault !== null) throw call.fault;
    if (call.indicator === null) throw new AppError("invalid_request", "The request names no indicator");
    const workspaceId = workspace.workspace_id;
    const settingsFingerprint = batch.rules.fingerprintOf({ id: workspaceId, name: workspace.workspace_name });
    const current = { settingsFingerprint, corporaRevision: workspace.corpora_revision };
    const facts = scans.factsOf(call.indicatorHash, workspaceId);
    const decision = decide(facts, current, batch.rules.lifetimes, batch.rules.now);
    if (decision.kind === "hit" && call.runner?.isRefresh !== true) return stored(decision.scanId, workspaceId);
    if (decision.kind === "join" && call.runner === null) {
      return { kind: "accepted", scanId: decision.scanId, indicator: call.indicator };
    }
    if (batch.fault !== null) throw batch.fault;
    batch.unfinishedCount ??= scans.countUnfinished();
    if (call.runner === null && batch.unfinishedCount >= batch.rules.maxQueue) {
      throw new AppError("overloaded", "Too many scans are waiting");
    }
    const { runner, indicator, indicatorHash } = call;
    const scan = { id: call.newScanId, workspaceId, indicator, indicatorHash, requestedAt: batch.rules.now };
    if (runner !== null) {
      const claimed = scans.insertClaimed(scan, runner.owner, runner.leaseUntil, batch.rules.fingerprintOf);
      return { kind: "claimed", scan: claimed };
    }
    scans.insert(scan);
    batch.unfinishedCount += 1;
    return { kind: "accepted", scanId: scan.id, indicator };
  }

  function stored(scanId: ScanId, workspaceId: WorkspaceId): Reply {
    const row = scans.find(scanId, workspaceId);
    if (row === undefined) throw notFound();
    return toCompleted(scanId, row);
  }

  function poll(call: PollCall, batch: Batch): Reply {
    const { workspace_id: workspaceId } = admitted(call.caller, batch);
    const { scanId } = call;
    // The workspace is part of the look-up, so a foreign id and an unknown one are the same work and the same answer.
    const row = scanId === null ? undefined : scans.find(scanId, workspaceId);
    const { lifetimes, now } = batch.rules;
    if (row === undefined || scanId === null || !isRetained(toDate(row.finished_at), lifetimes, now)) throw notFound();
    if (call.view === "sources") return { kind: "sources", scanId, state: row.state, runs: scans.runs(scanId) };
    if (row.state === "failed") return { kind: "failed", scanId };
    if (row.state !== "completed") return { kind: "unfinished", scanId, state: row.state };
    return call.view === "evidence" ? { kind: "evidence", body: scans.evidence(scanId) } : toCompleted(scanId, row);
  }

  function reply(call: Call, batch: Batch): Reply {
    try {
      return call.kind === "enrich" ? enrich(call, batch) : poll(call, batch);
    } catch (error) {
      if (error instanceof AppError) return { kind: "refused", error };
      throw error;
    }
  }

  return {
    handle(calls: readonly Call[], rules: CallRules, fault: AppError | null): Reply[] {
      const batch: Batch = { rules, fault, keys: new Map(), unfinishedCount: null };
      return calls.map((call) => reply(call, batch));
    },
  };
}

function notFound(): AppError {
  return new AppError("not_found", "There is no scan with this request_id");
}
