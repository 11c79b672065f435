import type { KeyFacts, WorkspaceFacts } from "../../src/domain/admit-call.ts";
import type { CallRules, EnrichCall, PollCall, WhoamiCall } from "../../src/domain/call.ts";
import { noOptions } from "../../src/domain/enrich-options.ts";
import { defaultScopes } from "../../src/domain/key-scope.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";

export const now = new Date("2026-06-01T12:00:00Z");
export const oneScan = "00000000-0000-4000-8000-000000000001" as ScanId;

export const acme: WorkspaceFacts = {
  id: "acme" as WorkspaceId,
  name: "Acme",
  plan: "team",
  disabledAt: null,
  corporaRevision: "revision",
};

export const key: KeyFacts = {
  id: "key-1",
  name: "siem",
  lastUsedAt: null,
  expiresAt: null,
  revokedAt: null,
  scopes: defaultScopes,
  allowedNetworks: null,
  workspace: acme,
};

export function callRules(changed: Partial<CallRules> = {}): CallRules {
  return {
    now,
    steadyNow: now,
    limits: { team: 600, enterprise: 6000, windowMs: 3_600_000 },
    outcomeOf: (reply) => (reply.kind === "refused" ? reply.error.code : reply.kind),
    lifetimes: { cacheTtlMs: 24 * 3_600_000, partialTtlMs: 15 * 60_000, retentionMs: 30 * 24 * 3_600_000 },
    maxQueue: 100,
    maxTlpOutside: "amber",
    fingerprintOf: () => "settings",
    ...changed,
  };
}

/** A call by an operator of Acme, with the members of `changed`. */
export function enrichCall(changed: Partial<EnrichCall> = {}): EnrichCall {
  return {
    kind: "enrich",
    caller: { workspaceId: acme.id, actor: "operator:jane" },
    from: { ip: "192.0.2.1", correlationId: "correlation" },
    fault: null,
    indicator: { type: "email", value: "jane.doe@example.com" },
    indicatorHash: "aa".repeat(32),
    newScanId: oneScan,
    options: noOptions,
    runner: null,
    ...changed,
  };
}

export function pollCall(changed: Partial<PollCall> = {}): PollCall {
  return {
    kind: "poll",
    caller: { workspaceId: acme.id, actor: "operator:jane" },
    from: { ip: "192.0.2.1", correlationId: "correlation" },
    scanId: oneScan,
    view: "envelope",
    isCharged: false,
    ...changed,
  };
}

export const whoamiCall: WhoamiCall = {
  kind: "whoami",
  caller: { keyHash: "hash" },
  from: { ip: "192.0.2.1", correlationId: "correlation" },
};
