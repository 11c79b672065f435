import { describe, expect, test } from "vitest";
import {
  admitCalls,
  type BudgetFacts,
  type CallerFacts,
  type KeyFacts,
  keysToCharge,
  uncharge,
  type WorkspaceFacts,
} from "../../src/domain/admit-call.ts";
import type { Call, Caller, Reply } from "../../src/domain/call.ts";
import { AppError } from "../../src/domain/error.ts";
import { networksOf } from "../../src/domain/network.ts";
import { acme, callRules, enrichCall, key, now, oneScan, pollCall, whoamiCall } from "../helpers/call-facts.ts";

const [second, minute, hour] = [1000, 60_000, 3_600_000];
const ago = (ms: number) => new Date(now.getTime() - ms);
const byKey: Caller = { keyHash: "hash" };

function factsOf(facts: {
  readonly key?: KeyFacts | null;
  readonly workspace?: WorkspaceFacts | null;
  readonly budget?: BudgetFacts;
}): CallerFacts {
  const { key: keyFacts = key, workspace = acme, budget } = facts;
  return {
    keys: new Map([["hash", keyFacts]]),
    workspaces: new Map([[acme.id, workspace]]),
    budgets: new Map(budget === undefined ? [] : [[key.id, budget]]),
  };
}

function admitOne(call: Call, facts: CallerFacts, rules = callRules()) {
  return admitCalls([call], facts, rules).admissions[0];
}

/** The refusal of a call; null when it was admitted. */
function codeOf(admission: ReturnType<typeof admitOne>): string | null {
  return admission?.kind === "refused" && admission.reply.kind === "refused" ? admission.reply.error.code : null;
}

describe("who may call (contract 1, 2, 12.3)", () => {
  const known = { workspaceId: acme.id, keyId: key.id, keyName: key.name };
  test.each([
    { who: "an active key", caller: byKey, facts: {}, code: null, denied: undefined },
    { who: "no key", caller: { keyHash: null }, facts: {}, code: "invalid_api_key", denied: "unknown" },
    { who: "an unknown key", caller: byKey, facts: { key: null }, code: "invalid_api_key", denied: "unknown" },
    {
      who: "a revoked key",
      caller: byKey,
      facts: { key: { ...key, revokedAt: ago(hour) } },
      code: "invalid_api_key",
      denied: known,
    },
    {
      who: "a key below the plan",
      caller: byKey,
      facts: { key: { ...key, workspace: { ...acme, plan: "free" as const } } },
      code: "plan_required",
      denied: known,
    },
    {
      who: "an operator",
      caller: { workspaceId: acme.id, actor: "operator:jane" },
      facts: {},
      code: null,
      denied: undefined,
    },
    {
      who: "an operator of a workspace that is not there",
      caller: { workspaceId: acme.id, actor: "cli" },
      facts: { workspace: null },
      code: "not_found",
      denied: undefined,
    },
    {
      who: "an operator of a disabled workspace below the plan",
      caller: { workspaceId: acme.id, actor: "cli" },
      facts: { workspace: { ...acme, plan: "free" as const, disabledAt: now } },
      code: "conflict",
      denied: undefined,
    },
    {
      who: "an operator below the plan",
      caller: { workspaceId: acme.id, actor: "cli" },
      facts: { workspace: { ...acme, plan: "starter" as const } },
      code: "plan_required",
      denied: undefined,
    },
  ])("$who: $code", ({ caller, facts, code, denied }) => {
    for (const call of [enrichCall({ caller }), pollCall({ caller })]) {
      const admission = admitOne(call, factsOf(facts));
      expect(codeOf(admission)).toBe(code);
      const reply = admission?.kind === "refused" ? admission.reply : null;
      expect(reply?.kind === "refused" ? reply.denied : undefined).toEqual(denied);
      // Refusals before the budget check are not recorded here.
      if (admission?.kind === "refused") expect(admission.who).toBeNull();
    }
  });

  test("an admitted caller has its actor and the data version of its workspace", () => {
    const data = { settingsFingerprint: "settings of Acme", corporaRevision: "revision" };
    const rules = callRules({ fingerprintOf: ({ name }) => `settings of ${name}` });
    expect(admitOne(enrichCall({ caller: byKey }), factsOf({}), rules)).toMatchObject({
      kind: "admitted",
      who: { key: known, actor: "key:key-1", data, workspace: acme },
    });
    const operator = { workspaceId: acme.id, actor: "operator:jane" };
    expect(admitOne(enrichCall({ caller: operator }), factsOf({}), rules)).toMatchObject({
      kind: "admitted",
      who: { key: null, actor: "operator:jane", data },
    });
  });
});

describe("the charge of a call (contract 8)", () => {
  const rules = callRules({ limits: { team: 3, enterprise: 0, windowMs: hour } });
  const used = (count: number): BudgetFacts => ({ request: { windowStartedAt: ago(minute), count }, poll: null });

  test.each([
    { what: "the first request", call: enrichCall({ caller: byKey }), budget: { request: null, poll: null }, left: 2 },
    { what: "a later request", call: enrichCall({ caller: byKey }), budget: used(1), left: 1 },
    { what: "a poll, from its own budget", call: pollCall({ caller: byKey }), budget: used(3), left: 59 },
    {
      what: "the second half of a request",
      call: pollCall({ caller: byKey, isCharged: true }),
      budget: used(3),
      left: null,
    },
    {
      what: "an operator",
      call: enrichCall({ caller: { workspaceId: acme.id, actor: "cli" } }),
      budget: used(3),
      left: null,
    },
  ])("$what: $left left", ({ call, budget, left }) => {
    const { admissions, budgets } = admitCalls([call], factsOf({ budget }), rules);
    const [admission] = admissions;
    expect(admission?.kind).toBe("admitted");
    expect(admission?.kind === "admitted" ? (admission.charge?.remaining ?? null) : undefined).toBe(left);
    expect(budgets).toHaveLength(left === null ? 0 : 1);
  });

  test("the charges of a batch add up, and the budget is written once", () => {
    const calls = Array.from({ length: 5 }, () => enrichCall({ caller: byKey }));
    const { admissions, budgets } = admitCalls(calls, factsOf({ budget: used(1) }), rules);
    expect(admissions.map(({ kind }) => kind)).toEqual(["admitted", "admitted", "refused", "refused", "refused"]);
    const budget = { windowStartedAt: ago(minute), count: 3 };
    expect(budgets).toEqual([{ keyId: "key-1", kind: "request", budget }]);
  });

  test("a refusal states the rest of the window; the trail records refused requests, not refused polls", () => {
    const budget = { ...used(3), poll: { windowStartedAt: ago(minute), count: 60 } };
    const calls = [enrichCall({ caller: byKey }), pollCall({ caller: byKey })];
    const { admissions, budgets } = admitCalls(calls, factsOf({ budget }), rules);
    const refused = { kind: "refused", error: { code: "rate_limited" } };
    expect(admissions).toMatchObject([
      {
        reply: { ...refused, charge: { limit: 3, remaining: 0, resetInMs: hour - minute } },
        who: { actor: "key:key-1" },
      },
      { reply: { ...refused, charge: { limit: 60, remaining: 0 } }, who: null },
    ]);
    expect(budgets).toEqual([]);
  });

  test("a refused call is not counted, but a window that had to move is written", () => {
    const budget: BudgetFacts = { request: { windowStartedAt: ago(-minute), count: 3 }, poll: null };
    const { admissions, budgets } = admitCalls([enrichCall({ caller: byKey })], factsOf({ budget }), rules);
    expect(admissions[0]?.kind).toBe("refused");
    expect(budgets).toEqual([{ keyId: "key-1", kind: "request", budget: { windowStartedAt: now, count: 3 } }]);
  });

  test.each([
    {
      what: "a plan without a limit",
      facts: { budget: used(9), key: { ...key, workspace: { ...acme, plan: "enterprise" as const } } },
    },
    { what: "a key whose counters cannot be read", facts: {} },
  ])("$what passes without a charge", ({ facts }) => {
    const { admissions, budgets } = admitCalls([enrichCall({ caller: byKey })], factsOf(facts), rules);
    expect(admissions).toMatchObject([{ kind: "admitted", charge: null }]);
    expect(budgets).toEqual([]);
  });

  test.each([
    { what: "a request", call: enrichCall({ caller: byKey }), ids: ["key-1"] },
    { what: "a poll", call: pollCall({ caller: byKey }), ids: ["key-1"] },
    { what: "a charged poll", call: pollCall({ caller: byKey, isCharged: true }), ids: [] },
    { what: "an unknown key", call: enrichCall({ caller: { keyHash: "other" } }), ids: [] },
    { what: "an operator", call: enrichCall(), ids: [] },
    { what: "a revoked key", call: enrichCall({ caller: byKey }), facts: { key: { ...key, revokedAt: now } }, ids: [] },
    {
      what: "a plan without a limit",
      call: enrichCall({ caller: byKey }),
      facts: { key: { ...key, workspace: { ...acme, plan: "enterprise" as const } } },
      ids: [],
    },
  ])("the budgets to read for $what: $ids", ({ call, facts = {}, ids }) => {
    expect([...keysToCharge([call, call], factsOf(facts).keys, rules)]).toEqual(ids);
  });
});

test.each([
  { lastUsedAt: null, isDue: true },
  { lastUsedAt: ago(59 * second), isDue: false },
  { lastUsedAt: ago(minute), isDue: true },
  { lastUsedAt: ago(-minute), isDue: true },
])("last used $lastUsedAt: written again $isDue (contract 9.2)", ({ lastUsedAt, isDue }) => {
  const calls = [enrichCall({ caller: byKey }), pollCall({ caller: byKey })];
  const { usedKeyIds } = admitCalls(calls, factsOf({ key: { ...key, lastUsedAt } }), callRules());
  expect(usedKeyIds).toEqual(isDue ? ["key-1"] : []);
});

test("a refused key does not count as used", () => {
  const calls = [enrichCall({ caller: byKey })];
  expect(admitCalls(calls, factsOf({ key: { ...key, revokedAt: now } }), callRules()).usedKeyIds).toEqual([]);
});

test("keys whose counters failed lose their charge, but a reached limit stays (contract 8.6)", () => {
  const charge = { limit: 3, remaining: 1, resetInMs: hour };
  const limited: Reply = { kind: "refused", error: new AppError("rate_limited", "Too many"), charge };
  const replies: Reply[] = [{ kind: "failed", scanId: oneScan, charge }, limited];
  const calls = replies.map(() => enrichCall({ caller: byKey }));
  const { keys } = factsOf({});
  expect(uncharge(replies, calls, keys, new Set(["key-2"]))).toEqual(replies);
  expect(uncharge(replies, calls, keys, new Set(["key-1"]))).toEqual([
    { kind: "failed", scanId: oneScan, isUncounted: true },
    limited,
  ]);
});

describe("rights of a key beside its plan (pipeline 14.4)", () => {
  const known = { workspaceId: acme.id, keyId: key.id, keyName: key.name };

  test("each call of a batch is judged by the address that it comes from", () => {
    const ips = ["192.0.2.1", "203.0.113.1", null];
    const calls = ips.map((ip) => enrichCall({ caller: byKey, from: { ip, correlationId: null } }));
    const facts = factsOf({
      key: { ...key, allowedNetworks: networksOf(["192.0.2.0/24"]) },
      budget: { request: null, poll: null },
    });
    const { admissions, budgets, usedKeyIds } = admitCalls(calls, facts, callRules());
    expect(admissions.map(codeOf)).toEqual([null, "invalid_api_key", "invalid_api_key"]);
    expect(admissions[1]).toMatchObject({ reply: { denied: known }, who: null });
    expect(budgets).toMatchObject([{ budget: { count: 1 } }]);
    expect(usedKeyIds).toEqual(["key-1"]);
    expect([...keysToCharge(calls.slice(1), facts.keys, callRules())]).toEqual([]);
    expect([...keysToCharge(calls.toReversed(), facts.keys, callRules())]).toEqual(["key-1"]);
  });

  test("a key that lacks the scope is denied before it is charged, and was not used", () => {
    const facts = factsOf({ key: { ...key, scopes: ["watch"] }, budget: { request: null, poll: null } });
    const calls = [enrichCall({ caller: byKey }), pollCall({ caller: byKey })];
    const { admissions, budgets, usedKeyIds } = admitCalls(calls, facts, callRules());
    expect(admissions.map(codeOf)).toEqual(["scope_required", "scope_required"]);
    expect(admissions).toMatchObject([{ reply: { denied: known } }, { reply: { denied: known } }]);
    expect([budgets, usedKeyIds]).toEqual([[], []]);
  });

  test.each([
    { scopes: ["enrich"], mayScan: true },
    { scopes: ["read"], mayScan: false },
  ] as const)("$scopes may scan: $mayScan", ({ scopes, mayScan }) => {
    const admission = admitOne(enrichCall({ caller: byKey }), factsOf({ key: { ...key, scopes } }));
    expect(admission).toMatchObject({ kind: "admitted", who: { mayScan } });
  });
});

describe("whoami (pipeline 15.1)", () => {
  const rules = callRules({ limits: { team: 3, enterprise: 0, windowMs: hour } });
  const enterprise = { ...key, workspace: { ...acme, plan: "enterprise" as const } };
  const full: BudgetFacts = { request: { windowStartedAt: ago(minute), count: 3 }, poll: null };
  test.each([
    {
      what: "both budgets",
      facts: { budget: full },
      request: { limit: 3, remaining: 0, resetInMs: hour - minute },
      poll: { limit: 60, remaining: 60, resetInMs: null },
    },
    { what: "no limits", facts: { key: enterprise }, request: null, poll: null },
    {
      what: "counters that cannot be read",
      facts: {},
      request: { limit: 3, remaining: null, resetInMs: null },
      poll: { limit: 60, remaining: null, resetInMs: null },
    },
  ])("is told $what and charged nothing", ({ facts, request, poll }) => {
    const { admissions, budgets, usedKeyIds } = admitCalls([whoamiCall], factsOf(facts), rules);
    expect(admissions).toMatchObject([{ kind: "admitted", charge: null, budgets: { request, poll } }]);
    expect([budgets, usedKeyIds]).toEqual([[], ["key-1"]]);
  });

  test.each([
    { what: "a key of any scope", facts: { key: { ...key, scopes: ["watch"] as const } }, code: null },
    { what: "a revoked key", facts: { key: { ...key, revokedAt: now } }, code: "invalid_api_key" },
    {
      what: "a key below the plan",
      facts: { key: { ...key, workspace: { ...acme, plan: "free" as const } } },
      code: "plan_required",
    },
  ])("$what: $code", ({ facts, code }) => {
    expect(codeOf(admitOne(whoamiCall, factsOf(facts)))).toBe(code);
  });

  test("its counters are read where there is a limit, and a failure of theirs uncounts nothing", () => {
    expect([...keysToCharge([whoamiCall], factsOf({}).keys, rules)]).toEqual(["key-1"]);
    expect([...keysToCharge([whoamiCall], factsOf({ key: enterprise }).keys, rules)]).toEqual([]);
    const reply: Reply = {
      kind: "whoami",
      workspace: { id: acme.id, name: "Acme", plan: "team" },
      keyId: "key-1",
      budgets: { request: null, poll: null },
    };
    expect(uncharge([reply], [whoamiCall], factsOf({}).keys, new Set(["key-1"]))).toEqual([reply]);
  });
});
