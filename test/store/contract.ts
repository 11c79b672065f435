import { beforeEach, describe, expect, test } from "vitest";
import type { KeyStatus } from "../../src/domain/api-key.ts";
import { type Author, auditEvent, emptyHead } from "../../src/domain/audit.ts";
import type { BulkId, BulkIndicator, BulkRow, BulkState } from "../../src/domain/bulk.ts";
import type { Call, CallRules, EnrichCall, Reply, ReplyBody } from "../../src/domain/call.ts";
import { noOptions } from "../../src/domain/enrich-options.ts";
import { type CacheMember, envelopeText, type Sighting } from "../../src/domain/envelope.ts";
import { AppError } from "../../src/domain/error.ts";
import { findingHash, makeFinding } from "../../src/domain/finding.ts";
import { defaultScopes } from "../../src/domain/key-scope.ts";
import type { Operator } from "../../src/domain/operator.ts";
import { type Answer, type ClaimedScan, finalState, type ScanId, type SourceRun } from "../../src/domain/scan.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import type { NewApiKey, NextApiKey } from "../../src/store/port/api-key.ts";
import type { WantedRows } from "../../src/store/port/bulk.ts";
import type { Publication } from "../../src/store/port/corpus.ts";
import type { NewOperator } from "../../src/store/port/operator.ts";
import type { Store } from "../../src/store/port/store.ts";
import { auditEvents } from "../helpers/audit-events.ts";
import { chainEvent } from "../helpers/chain-event.ts";
import { answerSha256 } from "../helpers/project.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";

const [second, minute, day] = [1000, 60_000, 86_400_000];
const nobody = { ip: null, correlationId: null };
const start = new Date("2026-06-01T12:00:00Z");
const jane = { value: "jane.doe@example.com", hash: "aa".repeat(32) };
const john = { value: "john.doe@example.com", hash: "bb".repeat(32) };
const finding = makeFinding({
  category: "breach",
  severity: "high",
  title: "Present in Shop",
  subject: "shop.example",
});
const projection = { total: 0, envelopeTail: '"indicator":{}}', evidence: '{"findings":[]}', digest: "sha256:00" };

/**
 * The suite of the port: what every implementation of `Store` must do, whatever database is behind it. `open` gives an
 * empty store whose audit key is `testAuditKey`.
 */
export function describeStore(name: string, open: () => Promise<Store>): void {
  describe(`${name}: the store port`, () => {
    let store: Store;
    let now: Date;
    let idCount = 0;
    let acme: WorkspaceId;
    let other: WorkspaceId;

    beforeEach(async () => {
      store = await open();
      now = start;
      idCount = 0;
      acme = await addWorkspace("Acme");
      other = await addWorkspace("Other");
      return () => store.close();
    });

    const newId = () => {
      idCount += 1;
      return `00000000-0000-4000-8000-${String(idCount).padStart(12, "0")}`;
    };
    const later = (ms: number) => new Date(now.getTime() + ms);

    async function addWorkspace(workspaceName: string): Promise<WorkspaceId> {
      const id = asWorkspaceId(newId());
      await store.insertWorkspace({ id, name: workspaceName, plan: "team", disabledAt: null }, null, testAuthor);
      return id;
    }

    function newKey(fields: Partial<NewApiKey> = {}): NewApiKey {
      const id = newId();
      const hash = id.replaceAll("-", "").repeat(2);
      const rights = { expiresAt: null, scopes: defaultScopes, allowedIps: [] };
      const given = { prefix: "xpz_live_0000", createdAt: now, createdBy: "cli", ...rights };
      return { id, name: `Key ${id}`, hash, ...given, ...fields };
    }

    /** The new fields of a key that replaces another key. */
    function nextKey(fields: Partial<NextApiKey> = {}): NextApiKey {
      const { id, prefix, hash, createdAt, createdBy } = newKey();
      return { id, prefix, hash, createdAt, createdBy, ...fields };
    }

    function enrichCall(
      workspaceId: WorkspaceId,
      fields: Partial<EnrichCall> & { who?: typeof jane } = {},
    ): EnrichCall {
      const { who = jane, ...rest } = fields;
      const indicator = { type: "email", value: who.value } as const;
      const call = {
        kind: "enrich",
        caller: { workspaceId, actor: "cli" },
        from: nobody,
        fault: null,
        options: noOptions,
        runner: null,
      } as const;
      return { ...call, indicator, indicatorHash: who.hash, newScanId: asScanId(newId()), ...rest };
    }

    function rules(fields: Partial<CallRules> = {}): CallRules {
      const lifetimes = { cacheTtlMs: day, partialTtlMs: 15 * minute, retentionMs: 30 * day };
      const limits = { team: 600, enterprise: 6000, windowMs: 60 * minute };
      const outcomeOf = (reply: ReplyBody) => reply.kind;
      const given = {
        lifetimes,
        limits,
        maxQueue: 100,
        maxTlpOutside: "amber",
        fingerprintOf: () => "settings",
        outcomeOf,
      } as const;
      return { now, steadyNow: now, ...given, ...fields };
    }

    async function serve(call: Call, fields: Partial<CallRules> = {}): Promise<Reply> {
      return only(await store.handleCalls([call], rules(fields), []));
    }

    /** The id of the scan that a POST starts or joins. */
    async function queue(workspaceId: WorkspaceId, who = jane): Promise<ScanId> {
      const reply = await serve(enrichCall(workspaceId, { who }));
      if (reply.kind !== "accepted") throw new Error(`not accepted: ${reply.kind}`);
      return reply.scanId;
    }

    function poll(workspaceId: WorkspaceId, scanId: ScanId, view: "envelope" | "sources" | "evidence" = "envelope") {
      return serve({
        kind: "poll",
        caller: { workspaceId, actor: "cli" },
        from: nobody,
        scanId,
        view,
        isCharged: false,
      });
    }

    async function claim(fields: { owner?: string; afterWorkspaceId?: WorkspaceId; settings?: string } = {}) {
      const { owner = "service", afterWorkspaceId = null, settings = "settings" } = fields;
      const leaseUntil = later(30 * second);
      const request = { owner, leaseUntil, afterWorkspaceId, maxCount: 1, fingerprintOf: () => settings };
      return (await store.claimScans(request))[0] ?? null;
    }

    async function claimed(fields: Parameters<typeof claim>[0] = {}): Promise<ClaimedScan> {
      const scan = await claim(fields);
      if (scan === null) throw new Error("nothing to claim");
      return scan;
    }

    function answer(source: string, fields: Partial<Answer> = {}): Answer {
      const given = {
        fingerprint: "f",
        confidence: 0.8,
        origin: source,
        answeredAt: now,
        missing: [],
        findings: [finding],
      };
      const whole = { source, ...given, ...fields };
      return { ...whole, sha256: answerSha256(whole.findings) };
    }

    function run(source: string, said: Answer | null, fields: Partial<SourceRun> = {}): SourceRun {
      const outcome = said === null ? "failed" : "ok";
      const given = { endedAt: now, durationMs: 5, quotaLeft: null, isReused: false } as const;
      return { source, outcome, error: said === null ? "timeout" : null, answer: said, ...given, ...fields };
    }

    /** Settles a claimed scan and returns the ledger as it stood then. */
    async function settle({ claim }: ClaimedScan, runs: SourceRun[], kept: Answer[] = []) {
      const answers = [...runs.flatMap(({ answer }) => (answer === null ? [] : [answer])), ...kept];
      const seen = answers.flatMap(({ source, answeredAt, findings }) =>
        findings.map((one) => ({ hash: findingHash(source, one), at: answeredAt })),
      );
      const isCompleted = finalState(runs) === "completed";
      const recorded = isCompleted ? await store.recordSightings(claim, seen, later(-400 * 24 * 60 * minute)) : null;
      const isSettled = await store.settleScan({
        claim,
        runs,
        finishedAt: now,
        projection: isCompleted ? projection : null,
        omitted: new Map(),
        kept: new Map(),
      });
      return { isSettled, ledger: recorded ?? new Map<string, Sighting>() };
    }

    /** A scan of one source that is asked and answers now. */
    async function scanNow(workspaceId: WorkspaceId, said = answer("hibp")) {
      await serve(enrichCall(workspaceId, { newScanId: asScanId(newId()) }), { fingerprintOf: () => newId() });
      const scan = await claimed();
      return { scanId: scan.claim.scanId, ...(await settle(scan, [run("hibp", said)])) };
    }

    async function requeueAfterCrash(isCounted = true): Promise<number> {
      return store.requeueScans({ owner: "service" }, { isCounted, now });
    }

    describe("calls", () => {
      test("a miss is accepted and queued, later ones join it, and its result is a hit under the same id", async () => {
        const scanId = await queue(acme);
        expect(await queue(acme)).toBe(scanId);
        expect(await poll(acme, scanId)).toEqual({
          kind: "unfinished",
          scanId,
          state: "queued",
          indicator: { type: "email", value: jane.value },
        });
        const scan = await claimed();
        expect(await queue(acme)).toBe(scanId);
        expect(await poll(acme, scanId)).toEqual({
          kind: "unfinished",
          scanId,
          state: "scanning",
          indicator: { type: "email", value: jane.value },
        });
        await settle(scan, [run("hibp", answer("hibp"))]);
        const { envelopeTail, digest } = projection;
        const completed = (cache: CacheMember) => {
          const envelope = envelopeText(scanId, cache, envelopeTail);
          return { kind: "completed", omittedCount: 0, scanId, envelope, digest, isPartial: false, failedSources: [] };
        };
        expect(await serve(enrichCall(acme))).toEqual(completed("hit"));
        expect(await poll(acme, scanId)).toEqual(completed("miss_scan_complete"));
        expect(await poll(acme, scanId, "evidence")).toEqual({ kind: "evidence", body: projection.evidence });
      });

      test("replies stand in the order of the calls, and misses of one batch are one scan", async () => {
        const [first, second, third] = [enrichCall(acme), enrichCall(acme, { who: john }), enrichCall(acme)];
        const replies = await store.handleCalls([first, second, third], rules(), []);
        expect(replies).toMatchObject([
          { kind: "accepted", scanId: first.newScanId },
          { kind: "accepted", scanId: second.newScanId },
          { kind: "accepted", scanId: first.newScanId },
        ]);
      });

      test("one refused call does not spoil its batch", async () => {
        const fault = new AppError("invalid_email", "Not an address");
        const calls = [enrichCall(acme, { fault, indicator: null }), enrichCall(acme)];
        const replies = await store.handleCalls(calls, rules(), []);
        expect(replies).toMatchObject([{ kind: "refused", error: fault }, { kind: "accepted" }]);
      });

      test("another workspace shares no scan and no result, and its poll is that of an unknown id", async () => {
        const scanId = await queue(acme);
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        const [foreign, unknown] = [await poll(other, scanId), await poll(other, asScanId(newId()))];
        expect(foreign).toMatchObject({ kind: "refused", error: { code: "not_found" } });
        expect(foreign).toEqual(unknown);
        for (const view of ["sources", "evidence"] as const) expect(await poll(other, scanId, view)).toEqual(foreign);
        expect(await queue(other)).not.toBe(scanId);
        expect((await claimed()).answers).toEqual([]);
      });

      test("a scan on older data is not joined: a new one waits beside it", async () => {
        const older = await queue(acme);
        await claimed({ settings: "older" });
        const newer = await queue(acme);
        expect(newer).not.toBe(older);
        expect(await queue(acme)).toBe(newer);
      });

      test("a failed scan is never a hit and shows its failure", async () => {
        const scanId = await queue(acme);
        await settle(await claimed(), [run("hibp", null)]);
        expect(await poll(acme, scanId)).toEqual({ kind: "failed", scanId });
        expect(await poll(acme, scanId, "evidence")).toEqual({ kind: "failed", scanId });
        expect(await queue(acme)).not.toBe(scanId);
      });

      test("more unfinished scans than max_queue refuse a miss, while hits and joins are served", async () => {
        const { scanId } = await scanNow(acme);
        const waiting = await queue(acme, john);
        const full = { maxQueue: 1 };
        const overloaded = { kind: "refused", error: { code: "overloaded" } };
        expect(await serve(enrichCall(other), full)).toMatchObject(overloaded);
        expect(await serve(enrichCall(acme, { who: john }), full)).toMatchObject({ scanId: waiting });
        expect(await poll(acme, scanId)).toMatchObject({ kind: "completed" });
        await claimed();
        expect(await serve(enrichCall(other), full)).toMatchObject(overloaded);
      });

      test("the queue is full within one batch too", async () => {
        const calls = [enrichCall(acme), enrichCall(acme, { who: john }), enrichCall(other)];
        const replies = await store.handleCalls(calls, rules({ maxQueue: 2 }), []);
        expect(replies.map(({ kind }) => kind)).toEqual(["accepted", "accepted", "refused"]);
      });

      test("a command gets the scan of its miss already claimed, and the service never runs it", async () => {
        const runner = { owner: "command", leaseUntil: later(minute), isRefresh: false };
        const call = enrichCall(acme, { runner });
        const reply = await serve(call);
        expect(reply).toMatchObject({
          kind: "claimed",
          scan: {
            claim: { scanId: call.newScanId, owner: "command", claimCount: 1 },
            workspace: { id: acme, name: "Acme" },
            settingsFingerprint: "settings",
          },
        });
        expect(await claim()).toBeNull();
        expect(await queue(acme)).toBe(call.newScanId);
      });

      test("a command takes a hit, unless it wants everything asked again", async () => {
        await queue(acme);
        const first = await claimed();
        await settle(first, [run("hibp", answer("hibp"))]);
        const runner = { owner: "command", leaseUntil: later(minute), isRefresh: false };
        const { scanId } = first.claim;
        expect(await serve(enrichCall(acme, { runner }))).toMatchObject({ kind: "completed", scanId });
        const refresh = await serve(enrichCall(acme, { runner: { ...runner, isRefresh: true } }));
        expect(refresh).toMatchObject({ kind: "claimed" });
      });

      test("the newest result serves, also when it was made after the clock moved back", async () => {
        await queue(acme);
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        now = later(-day);
        const runner = { owner: "command", leaseUntil: later(minute), isRefresh: true };
        const refreshed = await serve(enrichCall(acme, { runner }));
        if (refreshed.kind !== "claimed") return expect.unreachable(refreshed.kind);
        await settle(refreshed.scan, [run("hibp", answer("hibp"))]);
        expect(await serve(enrichCall(acme))).toMatchObject({ scanId: refreshed.scan.claim.scanId });
      });

      test("a key admits its own workspace; a wrong, missing, expired or disabled one is told the same", async () => {
        const key = await insertKeyWithHash({ expiresAt: later(minute) });
        const call = { ...enrichCall(acme), caller: { keyHash: key } };
        expect(await serve(call)).toMatchObject({ kind: "accepted" });
        const refused: Reply[] = [];
        for (const keyHash of [null, "cc".repeat(32)]) refused.push(await serve({ ...call, caller: { keyHash } }));
        refused.push(await serve(call, { now: later(minute) }));
        await store.changeWorkspace(acme, { disabledAt: now }, testAuthor);
        refused.push(await serve(call));
        const errors = refused.map((reply) => (reply.kind === "refused" ? reply.error : reply));
        for (const error of errors) expect(error).toEqual(errors[0]);
        expect(refused[0]).toMatchObject({ kind: "refused", error: { code: "invalid_api_key" } });
        await store.changeWorkspace(acme, { disabledAt: null }, testAuthor);
        expect(await serve(call)).toMatchObject({ kind: "accepted" });
      });

      test("a plan below team is refused on POST and GET alike, from the next call on", async () => {
        const keyHash = await insertKeyWithHash();
        const scanId = await queue(acme);
        await store.changeWorkspace(acme, { plan: "starter" }, testAuthor);
        const required = { kind: "refused", error: { code: "plan_required" } };
        expect(await serve({ ...enrichCall(acme), caller: { keyHash } })).toMatchObject(required);
        expect(
          await serve({ kind: "poll", caller: { keyHash }, from: nobody, isCharged: false, scanId, view: "envelope" }),
        ).toMatchObject(required);
        expect(await serve(enrichCall(acme))).toMatchObject(required);
      });

      test("what was wrong with a request is told only to a caller with a good key", async () => {
        const fault = new AppError("invalid_email", "Not an address");
        const call = { ...enrichCall(acme, { fault, indicator: null }), caller: { keyHash: null } };
        expect(await serve(call)).toMatchObject({ error: { code: "invalid_api_key" } });
      });

      test("the time of last use is exact to a minute", async () => {
        const keyHash = await insertKeyWithHash();
        const lastUsed = async () => (await listKeys())[0]?.lastUsedAt;
        expect(await lastUsed()).toBeNull();
        const use = (at: Date) => serve({ ...enrichCall(acme), caller: { keyHash } }, { now: at });
        await use(start);
        expect(await lastUsed()).toEqual(start);
        await use(later(minute - 1));
        expect(await lastUsed()).toEqual(start);
        await use(later(minute));
        expect(await lastUsed()).toEqual(later(minute));
      });

      test("when nothing can be written, hits, joins and polls are served, misses get the fault, keys are still asked", async () => {
        const { scanId } = await scanNow(acme);
        const waiting = await queue(acme, john);
        const keyHash = await insertKeyWithHash();
        const fault = new AppError("storage_full", "The disk is full");
        const calls: Call[] = [
          { ...enrichCall(acme, { who: john }), caller: { keyHash } },
          { kind: "poll", caller: { keyHash }, from: nobody, isCharged: false, scanId, view: "envelope" },
          enrichCall(other),
          { ...enrichCall(acme), caller: { keyHash: "cc".repeat(32) } },
        ];
        const { replies } = await store.readCalls(calls, rules(), fault);
        expect(replies).toMatchObject([
          { kind: "accepted", scanId: waiting },
          { kind: "completed", scanId },
          { kind: "refused", error: fault },
          { kind: "refused", error: { code: "invalid_api_key" } },
        ]);
        expect((await listKeys())[0]?.lastUsedAt).toBeNull();
        await claimed();
        expect(await claim()).toBeNull();
      });
    });

    describe("lists", () => {
      /** Takes a list of a workspace; a name that is none of ours is an invalid row. */
      async function take(workspaceId: WorkspaceId, whos: readonly (typeof jane | string)[], isCachedOnly = false) {
        const distinct: BulkIndicator[] = [];
        const rows = whos.map((who): BulkRow => {
          if (typeof who === "string") {
            return { kind: "invalid", type: "email", value: who, error: new AppError("invalid_email", "It is none") };
          }
          const known = distinct.findIndex(({ indicatorHash }) => indicatorHash === who.hash);
          if (known !== -1) return { kind: "indicator", at: known };
          const indicator = { type: "email", value: who.value } as const;
          const at = distinct.push({ indicator, indicatorHash: who.hash, newScanId: asScanId(newId()) }) - 1;
          return { kind: "indicator", at };
        });
        const bulkId = newId() as BulkId;
        const author = { caller: { workspaceId, actor: "cli" }, from: nobody, fault: null };
        const reply = await serve({
          kind: "bulk",
          ...author,
          bulkId,
          list: { rows, distinct },
          options: { ...noOptions, isCachedOnly },
        });
        return { bulkId, reply };
      }

      const read = (workspaceId: WorkspaceId, bulkId: BulkId, wanted: Partial<WantedRows> = {}) =>
        store.readBulkRows(workspaceId, bulkId, { from: 0, maxCount: 100, envelopesUpTo: null, ...wanted });
      const statesOf = (rows: readonly BulkState[]) => rows.map(({ scan, error }) => scan?.state ?? error?.code);

      test("hits are completed at once, others are started, and the rows are those of the input", async () => {
        const { scanId } = await scanNow(acme);
        const { bulkId, reply } = await take(acme, [john, "nope", jane, john]);
        expect(reply).toMatchObject({ kind: "bulk", rowCount: 4, hasPending: true });
        const rows = await read(acme, bulkId);
        expect(statesOf(rows)).toEqual(["queued", "invalid_email", "completed", "queued"]);
        expect(rows.map(({ value }) => value)).toEqual([john.value, "nope", jane.value, john.value]);
        expect(rows[2]).toMatchObject({ scanId, scan: { digest: projection.digest, total: 0, isPartial: false } });
        expect(rows[3]?.scanId).toBe(rows[0]?.scanId);
        expect(await store.findPending(acme, bulkId)).toMatchObject({ value: john.value });
        const scan = await claimed();
        expect(scan.claim.scanId).toBe(rows[0]?.scanId);
        await settle(scan, [run("hibp", null)]);
        expect(statesOf(await read(acme, bulkId))).toEqual(["failed", "invalid_email", "completed", "failed"]);
        expect((await read(acme, bulkId))[0]?.scan?.failedSources).toEqual([{ source: "hibp", error: "timeout" }]);
        expect(await store.findPending(acme, bulkId)).toBeNull();
      });

      test("rows are read from a position on, and envelopes until they are long enough", async () => {
        await scanNow(acme);
        const { bulkId } = await take(acme, [jane, jane, jane, "nope"]);
        expect(await read(acme, bulkId, { from: 3 })).toHaveLength(1);
        expect(await read(acme, bulkId, { maxCount: 2 })).toHaveLength(2);
        expect(await read(acme, bulkId, { from: 4 })).toEqual([]);
        const some = await read(acme, bulkId, { envelopesUpTo: projection.envelopeTail.length });
        expect(some.map(({ scan }) => scan?.envelopeTail)).toEqual([projection.envelopeTail, projection.envelopeTail]);
      });

      test("a list is not there for another workspace", async () => {
        const { bulkId } = await take(acme, [jane]);
        expect(await read(other, bulkId)).toEqual([]);
        expect(await store.findPending(other, bulkId)).toBeNull();
        const poll = {
          kind: "bulk_poll",
          from: nobody,
          bulkId,
          fault: null,
          isExport: false,
          isCharged: false,
        } as const;
        const [own, foreign] = [acme, other].map((workspaceId) => ({ workspaceId, actor: "cli" }));
        expect(await serve({ ...poll, caller: own ?? nobodyAtAll() })).toMatchObject({ kind: "bulk", rowCount: 1 });
        expect(await serve({ ...poll, caller: foreign ?? nobodyAtAll() })).toMatchObject({
          error: { code: "not_found" },
        });
      });

      test("with nothing to be started nothing is, and a full queue takes nothing of a list", async () => {
        const { bulkId, reply } = await take(acme, [jane], true);
        expect(reply).toMatchObject({ hasPending: false });
        expect(statesOf(await read(acme, bulkId))).toEqual(["not_cached"]);
        expect(await claim()).toBeNull();
        await serve(enrichCall(acme));
        const full = { maxQueue: 1 };
        const rows: BulkRow[] = [{ kind: "indicator", at: 0 }];
        const indicator = { type: "email", value: john.value } as const;
        const distinct = [{ indicator, indicatorHash: john.hash, newScanId: asScanId(newId()) }];
        const call = { kind: "bulk", caller: { workspaceId: acme, actor: "cli" }, from: nobody, fault: null } as const;
        const refusedId = newId() as BulkId;
        const more = { bulkId: refusedId, list: { rows, distinct }, options: noOptions };
        expect(await serve({ ...call, ...more }, full)).toMatchObject({ error: { code: "overloaded" } });
        expect(await read(acme, refusedId)).toEqual([]);
      });

      test("scans of single calls go first, and one that a list waits for is taken forward", async () => {
        const list = ["cc", "dd"].map((name) => ({ value: `${name}@example.com`, hash: name.repeat(32) }));
        await take(acme, list);
        await serve(enrichCall(acme, { who: john }));
        await serve(enrichCall(acme, { who: list[1] ?? john }));
        const order = [await claimed(), await claimed(), await claimed()].map(({ indicatorHash }) => indicatorHash);
        expect(order).toEqual([list[1]?.hash, john.hash, list[0]?.hash]);
      });

      test("a group is claimed as a whole, of one workspace, single calls first", async () => {
        const list = ["cc", "dd", "ee"].map((name) => ({ value: `${name}@example.com`, hash: name.repeat(32) }));
        await take(acme, list);
        await take(other, list);
        await serve(enrichCall(acme, { who: john }));
        const request = { owner: "service", leaseUntil: later(minute), maxCount: 8, fingerprintOf: () => "settings" };
        const groupOf = async (afterWorkspaceId: WorkspaceId | null) => {
          const scans = await store.claimScans({ ...request, afterWorkspaceId, groupSizeOf: () => 3 });
          return scans.map(({ workspace, indicator }) => [workspace.id, indicator.value]);
        };
        expect(await groupOf(null)).toEqual([john, ...list.slice(0, 2)].map(({ value }) => [acme, value]));
        expect(await groupOf(acme)).toEqual(list.map(({ value }) => [other, value]));
        expect(await groupOf(other)).toEqual([[acme, list[2]?.value]]);
      });

      test("what is forgotten is gone from lists, and a list goes when it is past its time", async () => {
        const { bulkId } = await take(acme, [jane, "nope"]);
        await store.forget({ indicatorHash: jane.hash, corpusHash: "0011223344556677" }, testAuthor);
        expect(await read(acme, bulkId)).toMatchObject([{ type: null, value: null, scan: null }, { value: "nope" }]);
        const limits = { answersBefore: start, sightingsBefore: start, usageBefore: start };
        expect(await store.removeExpired({ ...limits, scansFinishedBefore: now }, 10)).toBe(0);
        expect(await store.removeExpired({ ...limits, scansFinishedBefore: later(1) }, 10)).toBe(1);
        expect(await read(acme, bulkId)).toEqual([]);
      });

      function nobodyAtAll(): never {
        throw new Error("no caller");
      }
    });

    describe("claims", () => {
      test("nothing queued is null", async () => {
        expect(await claim()).toBeNull();
      });

      test("pipeline 16.1 a question that joins a waiting scan makes it ask more, and never less", async () => {
        const demanding = (maxAgeMs: number | null) => serve(enrichCall(acme, { options: { ...noOptions, maxAgeMs } }));
        const scanId = await queue(acme);
        expect(await demanding(60 * minute)).toMatchObject({ kind: "accepted", scanId });
        expect(await demanding(minute)).toMatchObject({ kind: "accepted", scanId });
        expect(await demanding(60 * minute)).toMatchObject({ kind: "accepted", scanId });
        expect(await demanding(null)).toMatchObject({ kind: "accepted", scanId });
        expect(await claimed()).toMatchObject({ claim: { scanId }, reach: "full", freshSince: later(-minute) });
        // A scan that runs is not changed any more.
        expect(await demanding(minute)).toMatchObject({ kind: "accepted", scanId });
        expect(await demanding(0)).not.toMatchObject({ scanId });
      });

      test("pipeline 16.2 a scan of each reach waits at the same time, and keeps its reach over a crash", async () => {
        const inside = { options: { ...noOptions, tlp: "red" } as const };
        const full = await queue(acme);
        const reply = await serve(enrichCall(acme, inside));
        expect(reply).toMatchObject({ kind: "accepted", isInside: true });
        expect(await serve(enrichCall(acme, inside))).toEqual(reply);
        expect(await queue(acme)).toBe(full);
        const scans = [await claimed(), await claimed()];
        expect(scans.map(({ reach }) => reach)).toEqual(["full", "inside"]);
        await store.requeueScans({ owner: "service" }, { isCounted: true, now });
        expect([(await claimed()).reach, (await claimed()).reach]).toEqual(["full", "inside"]);
      });

      test("pipeline 16.2 a result of inside reach is no hit for a question of full reach", async () => {
        const inside = { options: { ...noOptions, tlp: "red" } as const };
        await serve(enrichCall(acme, inside));
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        expect(await serve(enrichCall(acme, inside))).toMatchObject({ kind: "completed", isInside: true });
        const full = await queue(acme);
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        const hit = { kind: "completed", scanId: full };
        expect(await serve(enrichCall(acme))).toMatchObject(hit);
        expect(await serve(enrichCall(acme, inside))).toMatchObject(hit);
        expect(await serve(enrichCall(acme, inside))).not.toHaveProperty("isInside");
      });

      test("pipeline 31 a hit and a poll name the sources that failed, sorted", async () => {
        const scanId = await queue(acme);
        await settle(await claimed(), [run("z", null), run("hibp", answer("hibp")), run("a", null)]);
        const failedSources = ["a", "z"];
        expect(await serve(enrichCall(acme))).toMatchObject({ isPartial: true, failedSources });
        expect(await poll(acme, scanId)).toMatchObject({ isPartial: true, failedSources });
      });

      test("a claim holds what the scan will see", async () => {
        const scanId = await queue(acme);
        expect(await claim()).toEqual({
          claim: { scanId, owner: "service", claimCount: 1 },
          workspace: { id: acme, name: "Acme" },
          indicator: { type: "email", value: jane.value },
          indicatorHash: jane.hash,
          settingsFingerprint: "settings",
          corporaRevision: "",
          reach: "full",
          freshSince: null,
          answers: [],
          failedSources: [],
        });
        expect(await claim()).toBeNull();
      });

      test("turns go round robin over workspaces, the oldest scan first, whatever the clock does", async () => {
        const [first, last] = [acme, other].sort();
        if (first === undefined || last === undefined) return expect.unreachable();
        const ids = [await queue(first), await queue(last), await queue(last, john)];
        now = later(-day);
        ids.push(await queue(first, john));
        const one = await claimed();
        const two = await claimed({ afterWorkspaceId: one.workspace.id });
        const three = await claimed({ afterWorkspaceId: two.workspace.id });
        const four = await claimed({ afterWorkspaceId: three.workspace.id });
        expect([one, two, three, four].map(({ claim }) => claim.scanId)).toEqual([ids[0], ids[1], ids[3], ids[2]]);
      });

      test("as many as are asked for are claimed at once, in the same order as one by one", async () => {
        const [first, last] = [acme, other].sort();
        if (first === undefined || last === undefined) return expect.unreachable();
        const ids = [await queue(first), await queue(first, john), await queue(last), await queue(last, john)];
        const request = { owner: "service", leaseUntil: later(30 * second), fingerprintOf: () => "settings" };
        const some = await store.claimScans({ ...request, afterWorkspaceId: first, maxCount: 3 });
        expect(some.map(({ claim }) => claim.scanId)).toEqual([ids[2], ids[0], ids[3]]);
        const rest = await store.claimScans({ ...request, afterWorkspaceId: last, maxCount: 3 });
        expect(rest.map(({ claim }) => claim.scanId)).toEqual([ids[1]]);
      });

      test("of scans that end at the same time one that was lost or cannot be settled holds up no other", async () => {
        const ids = [await queue(acme), await queue(acme, john), await queue(other)];
        const scans = [await claimed(), await claimed({ afterWorkspaceId: acme }), await claimed()];
        const settled = scans.map((scan, index) =>
          store.settleScan({
            claim: index === 1 ? { ...scan.claim, claimCount: 9 } : scan.claim,
            runs: [run("hibp", answer("hibp"))],
            finishedAt: now,
            // A value that is not text cannot be stored.
            projection: { envelopeTail: "{}", digest: "d", total: 0, evidence: index === 2 ? (null as never) : "{}" },
            omitted: new Map(),
            kept: new Map(),
          }),
        );
        expect(await Promise.allSettled(settled)).toMatchObject([
          { value: true },
          { value: false },
          { status: "rejected" },
        ]);
        const states = await Promise.all(scans.map(({ claim, workspace }) => poll(workspace.id, claim.scanId)));
        expect(states.map(({ kind }) => kind)).toEqual(["completed", "unfinished", "unfinished"]);
        expect(new Set(scans.map(({ claim }) => claim.scanId))).toEqual(new Set(ids));
      });

      test("saved runs show before the scan ends, and its state moves on", async () => {
        const scanId = await queue(acme);
        const { claim } = await claimed();
        const failed = run("emailrep", null, { durationMs: 7 });
        expect(
          await store.saveRuns(claim, [failed, run("corpus", answer("corpus", { missing: ["pastes"] }))], "running"),
        ).toBe(true);
        expect(await poll(acme, scanId)).toMatchObject({ kind: "unfinished", state: "running" });
        expect(await poll(acme, scanId, "sources")).toMatchObject({
          kind: "sources",
          scanId,
          state: "running",
          runs: [
            {
              source: "corpus",
              outcome: "ok",
              findingCount: 1,
              durationMs: 5,
              endedAt: now,
              error: null,
              missing: ["pastes"],
            },
            {
              source: "emailrep",
              outcome: "failed",
              findingCount: 0,
              durationMs: 7,
              error: "timeout",
              missing: [],
            },
          ],
        });
      });

      test("a claim that is lost, wrong or over writes nothing", async () => {
        const scanId = await queue(acme);
        const lost = await claimed();
        await requeueAfterCrash();
        const held = await claimed();
        expect(held.claim).toEqual({ scanId, owner: "service", claimCount: 2 });
        const runs = [run("hibp", answer("hibp"))];
        for (const claim of [lost.claim, { ...held.claim, owner: "command" }]) {
          expect(await store.saveRuns(claim, runs, "running")).toBe(false);
          expect((await settle({ ...held, claim }, runs)).isSettled).toBe(false);
        }
        expect(await poll(acme, scanId, "sources")).toMatchObject({ state: "scanning", runs: [] });
        expect((await settle(held, runs)).isSettled).toBe(true);
        expect((await settle(held, [])).isSettled).toBe(false);
        expect(await store.saveRuns(held.claim, [], "scanning")).toBe(false);
        expect(await poll(acme, scanId)).toMatchObject({ kind: "completed" });
      });

      test("a new claim forgets the runs of an earlier one: its sources may be others", async () => {
        const scanId = await queue(acme);
        const { claim } = await claimed();
        await store.saveRuns(claim, [run("removed-source", answer("removed-source"))], "scanning");
        await requeueAfterCrash();
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        expect(await poll(acme, scanId, "sources")).toMatchObject({ runs: [{ source: "hibp" }] });
        expect(await poll(acme, scanId, "sources")).not.toMatchObject({ runs: [{}, {}] });
      });

      test("after three counted claims a scan is failed, and it stays under its id until then", async () => {
        const scanId = await queue(acme);
        for (const claimCount of [1, 2, 3]) {
          expect((await claimed()).claim).toEqual({ scanId, owner: "service", claimCount });
          expect(await requeueAfterCrash()).toBe(1);
        }
        expect(await poll(acme, scanId)).toEqual({ kind: "failed", scanId });
        expect(await claim()).toBeNull();
        expect(await requeueAfterCrash()).toBe(0);
      });

      test("a claim given back by a stop does not count", async () => {
        const scanId = await queue(acme);
        for (let round = 0; round < 5; round += 1) {
          expect((await claimed()).claim.claimCount).toBe(1);
          expect(await requeueAfterCrash(false)).toBe(1);
        }
        expect(await poll(acme, scanId)).toMatchObject({ kind: "unfinished", state: "queued" });
      });

      test("a claim is given back beside a newer scan that waits for the same address", async () => {
        const older = await queue(acme);
        await claimed({ settings: "older" });
        const newer = await queue(acme);
        expect(await requeueAfterCrash(false)).toBe(1);
        const claims = [await claimed(), await claimed()];
        expect(claims.map(({ claim }) => claim.scanId)).toEqual([older, newer]);
      });

      test("only claims of that owner are queued again", async () => {
        const runner = { owner: "command", leaseUntil: later(minute), isRefresh: false };
        await serve(enrichCall(acme, { runner }));
        expect(await requeueAfterCrash()).toBe(0);
        expect(await store.requeueScans({ owner: "command" }, { isCounted: true, now })).toBe(1);
      });

      test("a lease that ended gives its scan back, one that was prolonged does not", async () => {
        await queue(acme);
        await queue(acme, john);
        const [dead, alive] = [await claimed(), await claimed({ owner: "command" })];
        const unheld = { ...alive.claim, claimCount: 2 };
        expect(await store.extendLeases([alive.claim, unheld], later(minute))).toEqual([alive.claim]);
        const over = (at: Date) => store.requeueScans({ leaseOverAt: at }, { isCounted: true, now });
        expect(await over(later(30 * second - 1))).toBe(0);
        expect(await over(later(30 * second))).toBe(1);
        expect(await poll(acme, dead.claim.scanId)).toMatchObject({ state: "queued" });
        expect(await poll(acme, alive.claim.scanId)).toMatchObject({ state: "scanning" });
        expect(await store.extendLeases([dead.claim], later(minute))).toEqual([]);
      });
    });

    describe("answers and the ledger", () => {
      const ledgerKey = findingHash("hibp", finding);

      test("the last answer of a source is there for the next scan of that address only", async () => {
        await scanNow(acme);
        await queue(acme, john);
        expect((await claimed()).answers).toEqual([]);
        const said = answer("hibp", { fingerprint: "f2", confidence: 0.5, origin: "o", findings: [] });
        await scanNow(acme, said);
        await serve(enrichCall(acme), { fingerprintOf: () => "changed" });
        expect((await claimed()).answers.map(({ read }) => read())).toEqual([said]);
      });

      test("a failure never replaces an answer, and an answer taken over is not stored again", async () => {
        const said = answer("hibp");
        await scanNow(acme, said);
        await serve(enrichCall(acme), { fingerprintOf: () => "second" });
        const reused = run("hibp", answer("hibp", { findings: [] }), { isReused: true });
        await settle(await claimed(), [run("emailrep", null), reused]);
        await serve(enrichCall(acme), { fingerprintOf: () => "third" });
        await settle(await claimed(), [run("hibp", null)]);
        await serve(enrichCall(acme), { fingerprintOf: () => "fourth" });
        expect((await claimed()).answers.map(({ read }) => read())).toEqual([said]);
      });

      test("an answer that was saved before does not come back over a newer one when its scan ends", async () => {
        await queue(acme);
        const slow = await claimed();
        const older = run("hibp", answer("hibp"));
        await store.saveRuns(slow.claim, [older], "running");
        const newer = answer("hibp", { findings: [] });
        await scanNow(acme, newer);
        await settle(slow, [older]);
        await serve(enrichCall(acme), { fingerprintOf: () => "changed" });
        expect((await claimed()).answers.map(({ read }) => read())).toEqual([newer]);
      });

      test("answers saved before a crash are there for the next claim", async () => {
        await queue(acme);
        const { claim } = await claimed();
        await store.saveRuns(claim, [run("hibp", answer("hibp"))], "scanning");
        await requeueAfterCrash();
        expect((await claimed()).answers.map(({ read }) => read())).toEqual([answer("hibp")]);
      });

      test("first seen stays and last seen moves forward, over scans and a disappearance", async () => {
        expect((await scanNow(acme)).ledger.get(ledgerKey)).toEqual({ firstSeenAt: start, lastSeenAt: start });
        now = later(day);
        expect((await scanNow(acme, answer("hibp", { findings: [] }))).ledger.size).toBe(0);
        now = later(day);
        expect((await scanNow(acme)).ledger.get(ledgerKey)).toEqual({ firstSeenAt: start, lastSeenAt: now });
      });

      test("last seen is never before first seen, nor moved back, when the clock moves back", async () => {
        await scanNow(acme);
        now = later(-day);
        expect((await scanNow(acme)).ledger.get(ledgerKey)).toEqual({ firstSeenAt: start, lastSeenAt: start });
      });

      test("an answer kept for a source that failed keeps its old last seen", async () => {
        const said = answer("hibp");
        await scanNow(acme, said);
        now = later(day);
        await serve(enrichCall(acme), { fingerprintOf: () => "changed" });
        const { ledger } = await settle(await claimed(), [run("hibp", null), run("corpus", answer("corpus"))], [said]);
        expect(ledger.get(ledgerKey)).toEqual({ firstSeenAt: start, lastSeenAt: start });
      });

      test("each workspace has a ledger of its own", async () => {
        await scanNow(acme);
        now = later(day);
        expect((await scanNow(other)).ledger.get(ledgerKey)).toEqual({ firstSeenAt: now, lastSeenAt: now });
      });

      test("a failed scan leaves no trace in the ledger", async () => {
        await queue(acme);
        await settle(await claimed(), [run("hibp", null)], [answer("hibp")]);
        now = later(day);
        expect((await scanNow(acme)).ledger.get(ledgerKey)?.firstSeenAt).toEqual(now);
      });

      test("a completed scan with a failed source is partial", async () => {
        const scanId = await queue(acme);
        await settle(await claimed(), [run("hibp", null), run("corpus", answer("corpus"))]);
        expect(await poll(acme, scanId)).toMatchObject({ kind: "completed", isPartial: true });
      });

      test("a result is as old as the oldest answer it took over", async () => {
        await queue(acme);
        const old = answer("hibp", { answeredAt: later(-day + 1) });
        await settle(await claimed(), [run("hibp", old, { isReused: true }), run("corpus", answer("corpus"))]);
        expect(await serve(enrichCall(acme))).toMatchObject({ kind: "completed" });
        expect(await serve(enrichCall(acme), { now: later(1) })).toMatchObject({ kind: "accepted" });
      });

      test("the last run of each source, by name", async () => {
        expect(await store.lastSourceRuns()).toEqual([]);
        await scanNow(acme);
        now = later(minute);
        await queue(other);
        await settle(await claimed(), [run("hibp", null), run("corpus", answer("corpus"))]);
        expect(await store.lastSourceRuns()).toMatchObject([
          { source: "corpus", outcome: "ok", endedAt: now },
          { source: "hibp", outcome: "failed", error: "timeout", endedAt: now },
        ]);
      });
    });

    describe("overview", () => {
      const hour = 60 * minute;

      test("calls are counted by hour and workspace, hits and polls apart", async () => {
        const { scanId } = await scanNow(acme);
        await serve(enrichCall(acme));
        await poll(acme, scanId);
        now = later(hour);
        await serve(enrichCall(acme, { who: john }));
        await serve(enrichCall(other));
        const { usage, queuedCount, runningCount } = await store.overview(acme, start);
        expect(usage).toEqual([
          { hour: start, requests: 2, hits: 1, polls: 1 },
          { hour: now, requests: 1, hits: 0, polls: 0 },
        ]);
        expect([queuedCount, runningCount]).toEqual([1, 0]);
        expect((await store.overview(acme, later(1))).usage).toEqual([]);
      });

      test("a source that was asked counts by hour and outcome, with its last run; a reused answer does not", async () => {
        await queue(acme);
        const reused = run("corpus", answer("corpus"), { isReused: true });
        await settle(await claimed(), [run("hibp", null, { quotaLeft: 3 }), reused]);
        await queue(acme, john);
        const last = run("hibp", null, { error: "tls", endedAt: later(1), durationMs: 7 });
        await settle(await claimed(), [last]);
        await queue(other);
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        const counted = { source: "hibp", hour: start, outcome: "failed", runCount: 2, durationMs: 12 };
        const ended = { lastEndedAt: later(1), lastError: "tls", lastQuotaLeft: null };
        expect((await store.overview(acme, start)).sources).toEqual([{ ...counted, ...ended }]);
      });

      test("a scan that is claimed runs, in its own workspace only", async () => {
        await queue(acme);
        await claimed();
        expect(await store.overview(acme, start)).toMatchObject({ queuedCount: 0, runningCount: 1 });
        expect(await store.overview(other, start)).toMatchObject({ queuedCount: 0, runningCount: 0 });
      });

      test("totals of sources go with the scans that they tell of", async () => {
        await scanNow(acme);
        await store.removeExpired(
          { scansFinishedBefore: later(hour), answersBefore: start, sightingsBefore: start, usageBefore: start },
          10,
        );
        expect((await store.overview(acme, start)).sources).toEqual([]);
      });

      test("budgets of keys that are not revoked, of this workspace only", async () => {
        const [key, revoked, foreign] = [newKey(), newKey(), newKey()];
        for (const [workspaceId, one] of [
          [acme, key],
          [acme, revoked],
          [other, foreign],
        ] as const) {
          await store.insertKey(workspaceId, one, testAuthor);
          await serve(enrichCall(workspaceId, { caller: { keyHash: one.hash } }));
        }
        await store.revokeKey(acme, revoked.id, testAuthor);
        expect(await store.listBudgets(acme)).toEqual([
          { keyId: key.id, kind: "request", budget: { windowStartedAt: start, count: 1 } },
        ]);
      });
    });

    describe("retention", () => {
      const never = new Date(0);
      const nothing = {
        scansFinishedBefore: never,
        answersBefore: never,
        sightingsBefore: never,
        usageBefore: never,
      };

      test("scans, answers and sightings go when they are past their time, not before", async () => {
        const { scanId } = await scanNow(acme);
        for (const limit of ["scansFinishedBefore", "answersBefore", "sightingsBefore"] as const) {
          expect(await store.removeExpired({ ...nothing, [limit]: start }, 10)).toBe(0);
        }
        expect(await store.removeExpired({ ...nothing, scansFinishedBefore: later(1) }, 10)).toBe(1);
        for (const view of ["envelope", "sources", "evidence"] as const) {
          expect(await poll(acme, scanId, view)).toMatchObject({ error: { code: "not_found" } });
        }
        await queue(acme);
        expect((await claimed()).answers).toHaveLength(1);
        expect(await store.removeExpired({ ...nothing, answersBefore: later(1) }, 10)).toBe(1);
        expect(await store.removeExpired({ ...nothing, sightingsBefore: later(1) }, 10)).toBe(1);
        await requeueAfterCrash();
        now = later(day);
        const scan = await claimed();
        expect(scan.answers).toEqual([]);
        const { ledger } = await settle(scan, [run("hibp", answer("hibp"))]);
        expect(ledger.get(findingHash("hibp", finding))?.firstSeenAt).toEqual(now);
      });

      test("no step deletes more rows than it may, and the steps come to an end", async () => {
        for (let round = 0; round < 4; round += 1) await scanNow(acme);
        const all = {
          scansFinishedBefore: later(1),
          answersBefore: later(1),
          sightingsBefore: later(1),
          usageBefore: later(1),
        };
        const counts: number[] = [];
        for (let step = 0; step < 5; step += 1) counts.push(await store.removeExpired(all, 2));
        expect(counts).toEqual([2, 2, 2, 0, 0]);
      });

      test("an unfinished scan is never removed", async () => {
        const scanId = await queue(acme);
        await claimed();
        expect(await store.removeExpired({ ...nothing, scansFinishedBefore: later(9 * day) }, 10)).toBe(0);
        expect(await poll(acme, scanId)).toMatchObject({ kind: "unfinished" });
      });
    });

    describe("keys", () => {
      test("a key is stored with all but its hash shown", async () => {
        const rights = { scopes: ["enrich", "read"], allowedIps: ["192.0.2.0/24", "2001:db8::/32"] } as const;
        const key = newKey({ name: "SIEM", expiresAt: later(day), ...rights });
        const { hash, ...shown } = key;
        const stored = await store.insertKey(acme, key, testAuthor);
        const unused = { lastUsedAt: null, revokedAt: null, rotatedFrom: null, rotatedTo: null };
        expect(stored).toEqual({ ...shown, workspaceId: acme, ...unused });
        expect(await listKeys()).toEqual([stored]);
      });

      test("a name is taken, in any case, while its key is active and in that workspace only", async () => {
        await store.insertKey(acme, newKey({ name: "Siem", expiresAt: later(minute) }), testAuthor);
        const again = (fields: Partial<NewApiKey> = {}) => newKey({ name: "sIEM", ...fields });
        await expect(store.insertKey(acme, again(), testAuthor)).rejects.toMatchObject({ code: "conflict" });
        await store.insertKey(other, again(), testAuthor);
        await store.insertKey(acme, again({ createdAt: later(minute) }), testAuthor);
      });

      test("a workspace has at most 50 active keys; expired ones do not count", async () => {
        await store.insertKey(acme, newKey({ expiresAt: later(minute) }), testAuthor);
        for (let count = 1; count < 50; count += 1) await store.insertKey(acme, newKey(), testAuthor);
        await expect(store.insertKey(acme, newKey(), testAuthor)).rejects.toMatchObject({ code: "conflict" });
        await store.insertKey(other, newKey(), testAuthor);
        await store.insertKey(acme, newKey({ createdAt: later(minute) }), testAuthor);
      });

      test("a key needs its workspace, and that a plan with API access", async () => {
        const unknown = asWorkspaceId(newId());
        await expect(store.insertKey(unknown, newKey(), testAuthor)).rejects.toMatchObject({ code: "not_found" });
        await store.changeWorkspace(acme, { plan: "starter" }, testAuthor);
        await expect(store.insertKey(acme, newKey(), testAuthor)).rejects.toMatchObject({ code: "plan_required" });
      });

      test("pages go from the newest key to the oldest, each key once, ties included", async () => {
        const added: string[] = [];
        for (let count = 0; count < 5; count += 1) {
          if (count % 2 === 0) now = later(minute);
          added.unshift((await store.insertKey(acme, newKey(), testAuthor)).id);
        }
        await store.insertKey(other, newKey(), testAuthor);
        const pages: string[][] = [];
        let cursor: string | null = null;
        do {
          const page = await store.listKeys(acme, { limit: 2, cursor, status: null, now });
          pages.push(page.items.map(({ id }) => id));
          cursor = page.nextCursor;
        } while (cursor !== null);
        expect(pages).toEqual([added.slice(0, 2), added.slice(2, 4), added.slice(4)]);
      });

      test("a list can be narrowed to one status", async () => {
        const active = await store.insertKey(acme, newKey({ expiresAt: later(minute + 1) }), testAuthor);
        const expired = await store.insertKey(acme, newKey({ expiresAt: later(minute) }), testAuthor);
        const ids = async (status: KeyStatus) => {
          const page = await store.listKeys(acme, { limit: 10, cursor: null, status, now: later(minute) });
          return page.items.map(({ id }) => id);
        };
        expect([await ids("active"), await ids("expired"), await ids("revoked")]).toEqual([
          [active.id],
          [expired.id],
          [],
        ]);
      });

      test.each(["", "x", "MTIz", "LTEgYQ"])("the cursor %j is refused", async (cursor) => {
        const page = store.listKeys(acme, { limit: 2, cursor, status: null, now });
        await expect(page).rejects.toMatchObject({ code: "invalid_request" });
      });

      test("a rotation revokes a key and issues one of its name, expiry and rights, each naming the other", async () => {
        const rights = { scopes: ["read"], allowedIps: ["192.0.2.0/24"] } as const;
        const old = await store.insertKey(acme, newKey({ name: "Siem", expiresAt: later(day), ...rights }), testAuthor);
        const next = nextKey({ createdBy: "operator:alice" });
        const { hash, ...shown } = next;
        const rotated = await store.rotateKey(acme, old.id, next, testAuthor);
        expect(rotated).toEqual({ ...old, ...shown, rotatedFrom: old.id });
        const revoked = { ...old, revokedAt: now, rotatedTo: next.id };
        expect(await store.findKey(acme, old.id)).toEqual(revoked);
        expect(await listKeys()).toEqual(expect.arrayContaining([rotated, revoked]));
      });

      test("of a key that was rotated, revoked or has expired there is no rotation, and nothing is added", async () => {
        const expired = await store.insertKey(acme, newKey({ expiresAt: later(minute) }), testAuthor);
        const revoked = await store.insertKey(acme, newKey(), testAuthor);
        await store.revokeKey(acme, revoked.id, testAuthor);
        const rotated = await store.insertKey(acme, newKey(), testAuthor);
        await store.rotateKey(acme, rotated.id, nextKey(), testAuthor);
        const before = await listKeys();
        for (const { id } of [expired, revoked, rotated]) {
          const again = store.rotateKey(acme, id, nextKey({ createdAt: later(minute) }), testAuthor);
          await expect(again).rejects.toMatchObject({ code: "conflict" });
        }
        expect(await listKeys()).toEqual(before);
      });

      test("a rotation needs a plan with API access, a revocation none", async () => {
        const { id } = await store.insertKey(acme, newKey(), testAuthor);
        await store.changeWorkspace(acme, { plan: "free" }, testAuthor);
        await expect(store.rotateKey(acme, id, nextKey(), testAuthor)).rejects.toMatchObject({ code: "plan_required" });
        expect(await store.revokeKey(acme, id, testAuthor)).toMatchObject({ revokedAt: now });
      });

      test("a full workspace can still rotate", async () => {
        for (let count = 0; count < 50; count += 1) await store.insertKey(acme, newKey(), testAuthor);
        const [first] = await listKeys();
        expect(await store.rotateKey(acme, first?.id ?? "", nextKey(), testAuthor)).not.toBeNull();
        await expect(store.insertKey(acme, newKey(), testAuthor)).rejects.toMatchObject({ code: "conflict" });
      });

      test("a key that is revoked again keeps the time of its first revocation, and its name is free", async () => {
        const { id } = await store.insertKey(acme, newKey({ name: "Siem" }), testAuthor);
        const revoked = await store.revokeKey(acme, id, testAuthor);
        expect(revoked).toMatchObject({ revokedAt: now, rotatedTo: null });
        expect(await store.revokeKey(acme, id, { ...testAuthor, at: later(day) })).toEqual(revoked);
        await store.insertKey(acme, newKey({ name: "siem" }), testAuthor);
      });

      test("a key of another workspace and an unknown one are both null, and stay as they are", async () => {
        const foreign = await store.insertKey(other, newKey(), testAuthor);
        for (const id of [foreign.id, newId(), ""]) {
          expect(await store.findKey(acme, id)).toBeNull();
          expect(await store.rotateKey(acme, id, nextKey(), testAuthor)).toBeNull();
          expect(await store.revokeKey(acme, id, testAuthor)).toBeNull();
        }
        expect(await store.findKey(other, foreign.id)).toEqual(foreign);
      });
    });

    describe("budgets", () => {
      const limits = { team: 3, enterprise: 5, windowMs: 60 * minute };
      const refused = { kind: "refused", error: { code: "rate_limited" } };
      const pollCall = (keyHash: string, scanId: ScanId): Call => {
        return { kind: "poll", caller: { keyHash }, from: nobody, isCharged: false, scanId, view: "envelope" };
      };
      const enrichBy = (keyHash: string) => ({ ...enrichCall(acme), caller: { keyHash } });
      const isPassed = (reply: Reply) => reply.kind !== "refused";

      test("exactly N requests of a key pass in a window, in one batch and over many", async () => {
        const keyHash = await insertKeyWithHash();
        const batch = await store.handleCalls([enrichBy(keyHash), enrichBy(keyHash)], rules({ limits }), []);
        expect(batch.map(({ charge }) => charge?.remaining)).toEqual([2, 1]);
        const next = await store.handleCalls([enrichBy(keyHash), enrichBy(keyHash)], rules({ limits }), []);
        expect(next.map(isPassed)).toEqual([true, false]);
        expect(next[1]).toMatchObject({ ...refused, charge: { limit: 3, remaining: 0, resetInMs: 60 * minute } });
        expect(isPassed(await serve(enrichBy(keyHash), { limits, steadyNow: later(60 * minute - 1) }))).toBe(false);
        expect(isPassed(await serve(enrichBy(keyHash), { limits, steadyNow: later(60 * minute) }))).toBe(true);
      });

      test("what is refused for its key or plan counts nothing, what is wrong in itself counts", async () => {
        const keyHash = await insertKeyWithHash();
        const fault = new AppError("invalid_email", "Not an address");
        const wrong = { ...enrichBy(keyHash), fault, indicator: null };
        expect(await serve(wrong, { limits })).toMatchObject({ error: fault, charge: { remaining: 2 } });
        await store.changeWorkspace(acme, { plan: "free" }, testAuthor);
        expect((await serve(wrong, { limits })).charge).toBeUndefined();
        await store.changeWorkspace(acme, { plan: "team" }, testAuthor);
        expect((await serve(wrong, { limits })).charge?.remaining).toBe(1);
      });

      test("polls have a budget of their own, 20 times as large, and the second half of a request is free", async () => {
        const keyHash = await insertKeyWithHash();
        const scanId = await queue(acme);
        const polls = Array.from({ length: 61 }, () => pollCall(keyHash, scanId));
        const replies = await store.handleCalls(polls, rules({ limits }), []);
        expect(replies.map(isPassed)).toEqual([...Array(60).fill(true), false]);
        expect(replies[60]).toMatchObject({ charge: { limit: 60, remaining: 0 } });
        expect((await serve(enrichBy(keyHash), { limits })).charge?.remaining).toBe(2);
        const half = { ...pollCall(keyHash, scanId), isCharged: true } as Call;
        expect(await serve(half, { limits })).toEqual({
          kind: "unfinished",
          scanId,
          state: "queued",
          indicator: { type: "email", value: jane.value },
        });
      });

      test("each key has a budget of its own, and one that is rotated hands it on with its window", async () => {
        const keys = [newKey(), newKey()];
        for (const key of keys) await store.insertKey(acme, key, testAuthor);
        const [first, second] = keys.map(({ hash }) => hash);
        const scanId = await queue(acme);
        for (let count = 0; count < 2; count += 1) await serve(enrichBy(first ?? ""), { limits });
        await serve(pollCall(first ?? "", scanId), { limits });
        const next = nextKey();
        await store.rotateKey(acme, keys[0]?.id ?? "", next, testAuthor);
        const half = later(30 * minute);
        expect(await serve(enrichBy(next.hash), { limits, steadyNow: half })).toMatchObject({
          charge: { remaining: 0, resetInMs: 30 * minute },
        });
        expect(await serve(enrichBy(next.hash), { limits, steadyNow: half })).toMatchObject(refused);
        expect((await serve(pollCall(next.hash, scanId), { limits, steadyNow: half })).charge?.remaining).toBe(58);
        expect((await serve(enrichBy(second ?? ""), { limits })).charge?.remaining).toBe(2);
      });

      test("a limit of 0 charges nothing, and a plan change counts from the next call", async () => {
        const keyHash = await insertKeyWithHash();
        const free = await serve(enrichBy(keyHash), { limits: { ...limits, team: 0 } });
        expect([isPassed(free), "charge" in free]).toEqual([true, false]);
        for (let count = 0; count < 3; count += 1) await serve(enrichBy(keyHash), { limits });
        expect(await serve(enrichBy(keyHash), { limits })).toMatchObject(refused);
        await store.changeWorkspace(acme, { plan: "enterprise" }, testAuthor);
        expect((await serve(enrichBy(keyHash), { limits })).charge).toMatchObject({ limit: 5, remaining: 1 });
      });

      test("after the clock moved back a key that had used up its budget waits one window, not more", async () => {
        const keyHash = await insertKeyWithHash();
        for (let count = 0; count < 3; count += 1) await serve(enrichBy(keyHash), { limits });
        const back = -30 * day;
        const at = (ms: number) => serve(enrichBy(keyHash), { limits, steadyNow: later(back + ms) });
        expect(await at(0)).toMatchObject({ ...refused, charge: { resetInMs: 60 * minute } });
        expect(await at(20 * minute)).toMatchObject({ ...refused, charge: { resetInMs: 40 * minute } });
        expect(isPassed(await at(60 * minute))).toBe(true);
      });

      test("while nothing can be written calls pass without a charge, and are not counted afterwards", async () => {
        const keyHash = await insertKeyWithHash();
        await serve(enrichBy(keyHash), { limits });
        const fault = new AppError("unavailable", "Not now");
        const calls = Array.from({ length: 10 }, () => enrichBy(keyHash));
        const { replies } = await store.readCalls(calls, rules({ limits }), fault);
        for (const reply of replies) expect([isPassed(reply), "charge" in reply]).toEqual([true, false]);
        expect((await serve(enrichBy(keyHash), { limits })).charge?.remaining).toBe(1);
      });
    });

    describe("operators and sessions", () => {
      const hour = 60 * minute;

      function newOperator(fields: Partial<NewOperator> = {}): NewOperator {
        const id = newId();
        const tokenHash = id.replaceAll("-", "").repeat(2);
        return { id, workspaceId: acme, name: `Operator ${id}`, role: "admin", tokenHash, createdAt: now, ...fields };
      }

      async function logIn(operator: Operator, expiresAt = later(8 * hour)): Promise<string> {
        const hash = newId().replaceAll("-", "").repeat(2);
        await store.startSession({ hash, operator, expiresAt }, testAuthor);
        return hash;
      }

      test("an operator is found by its token only, and its hash is not shown", async () => {
        const wanted = newOperator({ role: "viewer" });
        const { tokenHash, ...shown } = wanted;
        const operator = await store.insertOperator(wanted, testAuthor);
        expect(operator).toEqual({ ...shown, revokedAt: null });
        expect(await store.findOperator({ tokenHash }, now)).toEqual(operator);
        for (const hash of ["", "00".repeat(32), operator.id]) {
          expect(await store.findOperator({ tokenHash: hash }, now)).toBeNull();
        }
        expect(await store.findOperator({ sessionHash: tokenHash }, now)).toBeNull();
      });

      test("the token of an operator is no key, and a key is no token", async () => {
        const operator = newOperator();
        await store.insertOperator(operator, testAuthor);
        const keyHash = await insertKeyWithHash();
        expect(await store.findOperator({ tokenHash: keyHash }, now)).toBeNull();
        const reply = await serve({ ...enrichCall(acme), caller: { keyHash: operator.tokenHash } });
        expect(reply).toMatchObject({ kind: "refused", error: { code: "invalid_api_key" } });
      });

      test("a name is there once among the active operators of a workspace, in any case", async () => {
        const first = await store.insertOperator(newOperator({ name: "Alice" }), testAuthor);
        const again = () => store.insertOperator(newOperator({ name: "aLICE" }), testAuthor);
        await expect(again()).rejects.toMatchObject({ code: "conflict" });
        await store.insertOperator(newOperator({ name: "Alice", workspaceId: other }), testAuthor);
        await store.revokeOperator(acme, first.id, testAuthor);
        expect((await store.listOperators(acme)).map(({ id }) => id)).toEqual([first.id]);
        await again();
        expect((await store.listOperators(acme)).map(({ name }) => name)).toEqual(["Alice", "aLICE"]);
      });

      test("a session is its operator until it expires, to the millisecond", async () => {
        const operator = await store.insertOperator(newOperator(), testAuthor);
        const sessionHash = await logIn(operator);
        expect(await store.findOperator({ sessionHash }, later(8 * hour - 1))).toEqual(operator);
        expect(await store.findOperator({ sessionHash }, later(8 * hour))).toBeNull();
        expect(await store.findOperator({ tokenHash: sessionHash }, now)).toBeNull();
      });

      test("a session ends once, and the others of its operator go on", async () => {
        const operator = await store.insertOperator(newOperator(), testAuthor);
        const [one, two] = [await logIn(operator), await logIn(operator)];
        expect([await store.endSession(one, testAuthor), await store.endSession(one, testAuthor)]).toEqual([
          true,
          false,
        ]);
        expect(await store.endSession("00", testAuthor)).toBe(false);
        expect(await store.findOperator({ sessionHash: one }, now)).toBeNull();
        expect(await store.findOperator({ sessionHash: two }, now)).toEqual(operator);
      });

      test("a revoked operator is gone with its token and every session, and only that one", async () => {
        const [wanted, colleague] = [newOperator(), newOperator()];
        const operator = await store.insertOperator(wanted, testAuthor);
        const sessions = [await logIn(operator), await logIn(operator)];
        const otherSession = await logIn(await store.insertOperator(colleague, testAuthor));
        const revoked = await store.revokeOperator(acme, operator.id, testAuthor);
        expect(revoked).toEqual({ ...operator, revokedAt: now });
        expect(await store.findOperator({ tokenHash: wanted.tokenHash }, now)).toBeNull();
        for (const sessionHash of sessions) expect(await store.findOperator({ sessionHash }, now)).toBeNull();
        expect(await store.findOperator({ sessionHash: otherSession }, now)).not.toBeNull();
        expect(await store.revokeOperator(acme, operator.id, { ...testAuthor, at: later(day) })).toEqual(revoked);
      });

      test("an operator of another workspace cannot be revoked, as an unknown one", async () => {
        const foreign = newOperator({ workspaceId: other });
        await store.insertOperator(foreign, testAuthor);
        for (const id of [foreign.id, newId()]) expect(await store.revokeOperator(acme, id, testAuthor)).toBeNull();
        expect(await store.findOperator({ tokenHash: foreign.tokenHash }, now)).not.toBeNull();
      });
    });

    describe("a restored database", () => {
      test("its sessions end, what ran waits again and no claim is lost, and the audit trail says so", async () => {
        const token = "ef".repeat(32);
        const operator = await store.insertOperator(
          { id: newId(), workspaceId: acme, name: "alice", role: "admin", tokenHash: token, createdAt: now },
          testAuthor,
        );
        const sessionHash = "fe".repeat(32);
        await store.startSession({ hash: sessionHash, operator, expiresAt: later(day) }, testAuthor);
        const [ofService, ofCommand] = [await queue(acme), await queue(acme, john)];
        const one = await claimed();
        const two = await claimed({ owner: "command" });
        await store.settleRestored("backup of yesterday", testAuthor);
        expect(await store.findOperator({ sessionHash }, now)).toBeNull();
        expect(await store.findOperator({ tokenHash: token }, now)).not.toBeNull();
        expect(await store.extendLeases([one.claim, two.claim], later(minute))).toEqual([]);
        for (const scanId of [ofService, ofCommand]) {
          expect(await poll(acme, scanId)).toMatchObject({ kind: "unfinished", state: "queued" });
          expect((await claimed()).claim).toEqual({ scanId, owner: "service", claimCount: 1 });
        }
        const { row } = await store.auditHead();
        const events = await store.readChain(0, row);
        expect(events.filter(({ event }) => event?.action === "audit.restored")).toHaveLength(1);
        expect(events.at(-1)?.event).toMatchObject({ ...testAuthor, detail: "backup of yesterday", workspaceId: null });
      });
    });

    describe("the audit trail", () => {
      const by: Author = {
        at: start,
        actor: "operator:alice",
        ip: "203.0.113.7",
        outcome: "201",
        correlationId: "c-1",
      };
      const chain = () => auditEvents(store);
      const last = async (count: number) => (await chain()).slice(-count);
      const isWhole = async () => {
        let before = emptyHead;
        for (const event of await chain()) {
          const { row, mac } = event;
          expect(chainEvent(testAuditKey, before, event)).toEqual({ row, mac });
          before = { row, mac };
        }
        const { row, mac } = await store.auditHead();
        expect({ row, mac }).toEqual({ row: before.row, mac: before.mac });
      };

      test("every management action writes one row in its author's name, and they are one chain", async () => {
        const before = (await chain()).length;
        const key = await store.insertKey(acme, newKey({ name: "Siem" }), by);
        const next = nextKey();
        await store.rotateKey(acme, key.id, next, by);
        await store.revokeKey(acme, next.id, by);
        await store.changeWorkspace(acme, { plan: "enterprise" }, by);
        await store.changeWorkspace(acme, { disabledAt: now }, by);
        await store.changeWorkspace(acme, { disabledAt: null }, by);
        const operator = await store.insertOperator(
          { id: newId(), workspaceId: acme, name: "Bob", role: "viewer", tokenHash: "dd".repeat(32), createdAt: now },
          by,
        );
        await store.startSession({ hash: "ee".repeat(32), operator, expiresAt: later(day) }, by);
        await store.endSession("ee".repeat(32), by);
        await store.revokeOperator(acme, operator.id, by);
        const rows = (await chain()).slice(before);
        expect(rows.map(({ action, keyId, detail }) => [action, keyId, detail])).toEqual([
          ["key.created", key.id, null],
          ["key.rotated", key.id, next.id],
          ["key.revoked", next.id, null],
          ["workspace.plan_changed", null, "enterprise"],
          ["workspace.disabled", null, null],
          ["workspace.enabled", null, null],
          ["workspace.operator_created", null, "Bob"],
          ["workspace.session_started", null, "Bob"],
          ["workspace.session_ended", null, "Bob"],
          ["workspace.operator_revoked", null, "Bob"],
        ]);
        for (const row of rows) expect(row).toMatchObject({ ...by, workspaceId: acme });
        for (const row of rows.slice(0, 3)) expect(row.keyName).toBe("Siem");
        await isWhole();
      });

      test("the last event about a key, an operator or a workspace holds its digest as it stands", async () => {
        const key = await store.insertKey(acme, newKey({ name: "Siem" }), by);
        const next = nextKey();
        await store.rotateKey(acme, key.id, next, by);
        await store.changeWorkspace(acme, { plan: "free" }, by);
        const about = { workspaceId: acme, name: "Bob", tokenHash: "dd".repeat(32), createdAt: now };
        const operator = await store.insertOperator({ ...about, id: newId(), role: "viewer" }, by);
        await store.revokeOperator(acme, operator.id, by);
        const { subjects, head, startSubjects } = await store.auditState();
        const told = new Map<string, string>(startSubjects);
        for (const event of await chain()) for (const { id, digest } of event.subjects ?? []) told.set(id, digest);
        expect(told).toEqual(subjects);
        const ids = [`key:${key.id}`, `key:${next.id}`, `operator:${operator.id}`, `workspace:${acme}`];
        expect([...subjects.keys()]).toEqual(expect.arrayContaining(ids));
        expect(head).toMatchObject(await store.auditHead());
      });

      test("the use of a key changes no digest", async () => {
        const key = newKey();
        await store.insertKey(acme, key, by);
        const before = await store.auditState();
        await serve(enrichCall(acme, { caller: { keyHash: key.hash } }));
        expect(
          (await store.listKeys(acme, { limit: 1, cursor: null, status: null, now })).items[0]?.lastUsedAt,
        ).toEqual(now);
        expect((await store.auditState()).subjects).toEqual(before.subjects);
      });

      test("old events are removed up to the kept row, the start moves on, and the trail says so", async () => {
        await store.appendEvents([auditEvent(by, "source.added", { detail: "a" })]);
        await store.appendEvents([auditEvent(by, "source.added", { detail: "b" })]);
        const before = await chain();
        const { row: keptRow } = await store.auditHead();
        const limits = { before: later(1), now: later(1), keptRow };
        expect(await store.removeOldEvents({ ...limits, before: start }, by)).toBe(0);
        expect(await store.removeOldEvents(limits, by)).toBe(before.length - 1);
        const { start: from, head } = await store.auditState();
        expect(from).toEqual({ row: keptRow - 1, mac: before.at(-2)?.mac });
        const after = await chain();
        expect(after.map(({ action, detail }) => [action, detail?.slice(0, 1)])).toEqual([
          ["source.added", "b"],
          ["audit.checkpoint", String(keptRow - 1).slice(0, 1)],
        ]);
        expect(head.row).toBe(keptRow + 1);
        expect(await store.removeOldEvents(limits, by)).toBe(0);
      });

      test("what changes nothing and what is refused writes no row", async () => {
        const key = await store.insertKey(acme, newKey({ name: "Siem" }), by);
        await store.revokeKey(acme, key.id, by);
        const { row } = await store.auditHead();
        await store.revokeKey(acme, key.id, by);
        await store.revokeKey(acme, newId(), by);
        await store.rotateKey(acme, newId(), nextKey(), by);
        await store.revokeOperator(acme, newId(), by);
        await store.endSession("00", by);
        await expect(store.rotateKey(acme, key.id, nextKey(), by)).rejects.toThrow();
        await expect(store.changeWorkspace(asWorkspaceId(newId()), { plan: "free" }, by)).rejects.toThrow();
        expect((await store.auditHead()).row).toBe(row);
      });

      test("a request is one row with the keyed hash and the id of its scan, whatever became of it", async () => {
        const key = newKey({ name: "Siem" });
        await store.insertKey(acme, key, testAuthor);
        const from = { ip: "203.0.113.7", correlationId: "c-1" };
        const call = { ...enrichCall(acme), caller: { keyHash: key.hash }, from };
        const fault = new AppError("invalid_email", "Not an address");
        const limits = { team: 2, enterprise: 2, windowMs: minute };
        await store.handleCalls([call, { ...call, fault, indicator: null }, call], rules({ limits }), []);
        const common = {
          at: now,
          workspaceId: acme,
          actor: `key:${key.id}`,
          action: "enrich.requested",
          keyId: key.id,
          keyName: "Siem",
          ...from,
          count: null,
          detail: null,
        };
        expect(await last(3)).toMatchObject([
          { ...common, requestId: call.newScanId, indicatorHmac: jane.hash, outcome: "accepted" },
          { ...common, requestId: null, indicatorHmac: null, outcome: "refused" },
          { ...common, requestId: null, indicatorHmac: null, outcome: "refused" },
        ]);
        expect(JSON.stringify(await chain())).not.toContain(jane.value);
      });

      test("a poll is named once per key and scan, at its first final answer", async () => {
        const keys = [newKey(), newKey()];
        for (const key of keys) await store.insertKey(acme, key, testAuthor);
        const scanId = await queue(acme);
        const pollBy = (hash: string, view: "envelope" | "sources" | "evidence" = "envelope") =>
          serve({ kind: "poll", caller: { keyHash: hash }, from: nobody, isCharged: false, scanId, view });
        const [first, second] = keys.map(({ hash }) => hash);
        for (const view of ["envelope", "sources", "evidence"] as const) await pollBy(first ?? "", view);
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        const before = (await chain()).length;
        for (let count = 0; count < 3; count += 1) await pollBy(first ?? "");
        await pollBy(second ?? "", "sources");
        await pollBy(second ?? "");
        await poll(acme, scanId);
        expect((await chain()).slice(before)).toMatchObject([
          { action: "enrich.polled", keyId: keys[0]?.id, requestId: scanId, indicatorHmac: jane.hash },
          { action: "enrich.polled", keyId: keys[1]?.id, requestId: scanId },
        ]);
      });

      test("polls while nothing could be written are named once too, whoever writes them afterwards", async () => {
        const key = newKey();
        await store.insertKey(acme, key, testAuthor);
        const { scanId } = await scanNow(acme);
        const call = { kind: "poll", caller: { keyHash: key.hash }, from: nobody, isCharged: false, scanId } as const;
        const calls: Call[] = [
          { ...call, view: "envelope" },
          { ...call, view: "evidence" },
        ];
        const fault = new AppError("unavailable", "Not now");
        const { events } = await store.readCalls(calls, rules(), fault);
        expect(events.map(({ action }) => action)).toEqual(["enrich.polled", "enrich.polled"]);
        const before = (await chain()).length;
        await store.handleCalls([], rules(), events);
        await store.appendEvents(events);
        await serve({ ...call, view: "envelope" });
        expect((await chain()).slice(before)).toMatchObject([{ action: "enrich.polled", keyId: key.id }]);
      });

      test("a poll of a scan that has gone since is named all the same", async () => {
        const key = newKey();
        await store.insertKey(acme, key, testAuthor);
        const about = { workspaceId: acme, keyId: key.id, keyName: key.name, requestId: newId() };
        await store.appendEvents([auditEvent(by, "enrich.polled", about)]);
        expect(await last(1)).toMatchObject([{ action: "enrich.polled", ...about }]);
      });

      test("events that waited stand before those of the calls", async () => {
        const earlier = [auditEvent(by, "audit.gap", { count: 7 }), auditEvent(by, "auth.denied")];
        await store.handleCalls([enrichCall(acme)], rules(), earlier);
        expect((await last(3)).map(({ action }) => action)).toEqual(["audit.gap", "auth.denied", "enrich.requested"]);
        await isWhole();
      });

      test("pages go from the newest event to the oldest, of that workspace only, and can be narrowed to a key", async () => {
        const key = await store.insertKey(acme, newKey(), by);
        const foreign = await store.insertKey(other, newKey(), by);
        for (const plan of ["free", "team", "free", "team"] as const) await store.changeWorkspace(acme, { plan }, by);
        await store.revokeKey(acme, key.id, by);
        await store.appendEvents([auditEvent(by, "auth.denied", { count: 1 })]);
        const actions: string[] = [];
        let cursor: string | null = null;
        do {
          const page = await store.listEvents(acme, { limit: 2, cursor, keyId: null });
          expect(page.items.length).toBeLessThanOrEqual(2);
          actions.push(...page.items.map(({ action }) => action));
          cursor = page.nextCursor;
        } while (cursor !== null);
        const planned = Array(4).fill("workspace.plan_changed");
        expect(actions).toEqual(["key.revoked", ...planned, "key.created", "workspace.created"]);
        const ofKey = async (keyId: string, limit = 10) => {
          const page = await store.listEvents(acme, { limit, cursor: null, keyId });
          return [page.items.map(({ action }) => action), page.nextCursor === null];
        };
        expect(await ofKey(key.id)).toEqual([["key.revoked", "key.created"], true]);
        expect(await ofKey(key.id, 1)).toEqual([["key.revoked"], false]);
        expect(await ofKey(foreign.id)).toEqual([[], true]);
      });

      test.each(["", "0", "-1", "x", "1e3", "1.5", "9".repeat(16)])(
        "the cursor %j of events is refused",
        async (cursor) => {
          const page = store.listEvents(acme, { limit: 2, cursor, keyId: null });
          await expect(page).rejects.toMatchObject({ code: "invalid_request" });
        },
      );

      test("sources that were added, changed and removed are named, and what stayed is not", async () => {
        const note = (settings: Record<string, string>) => store.noteSources(new Map(Object.entries(settings)), by);
        await note({ hibp: "a", misp: "b" });
        await note({ hibp: "a", misp: "b" });
        await note({ hibp: "c", corpus: "d" });
        expect((await last(5)).map(({ action, detail, workspaceId }) => [action, detail, workspaceId])).toEqual([
          ["source.added", "hibp", null],
          ["source.added", "misp", null],
          ["source.changed", "hibp", null],
          ["source.added", "corpus", null],
          ["source.removed", "misp", null],
        ]);
      });
    });

    describe("workspaces", () => {
      test("a workspace is found by id or name, in any case", async () => {
        const workspace = { id: acme, name: "Acme", plan: "team", disabledAt: null };
        for (const text of [acme, "Acme", "aCME"]) expect(await store.findWorkspace(text)).toEqual(workspace);
        expect(await store.findWorkspace("Acm")).toBeNull();
      });

      test("a name is there once, in any case, and a refusal adds nothing", async () => {
        await expect(addWorkspace("aCME")).rejects.toMatchObject({ code: "conflict" });
        await addWorkspace("Zeta");
        await addWorkspace("Beta");
        const names = (await store.listWorkspaces()).map((workspace) => workspace.name);
        expect(names).toEqual(["Acme", "Beta", "Other", "Zeta"]);
      });

      test("a workspace without its operator is not added", async () => {
        const [id, workspaceId] = [newId(), asWorkspaceId(newId())];
        const token = { tokenHash: "dd".repeat(32), createdAt: now };
        const operator = { id, workspaceId, name: "admin", role: "admin", ...token } as const;
        const workspace = { id: workspaceId, name: "First", plan: "enterprise", disabledAt: null } as const;
        await store.insertWorkspace(workspace, operator, testAuthor);
        const second = { ...workspace, id: asWorkspaceId(newId()), name: "Second" };
        await expect(
          store.insertWorkspace(second, { ...operator, workspaceId: second.id }, testAuthor),
        ).rejects.toThrow();
        expect(await store.findWorkspace("Second")).toBeNull();
      });

      test("plan and state change one at a time; an unknown workspace is an error", async () => {
        expect(await store.changeWorkspace(acme, { plan: "enterprise" }, testAuthor)).toMatchObject({
          plan: "enterprise",
        });
        const disabled = { plan: "enterprise", disabledAt: now };
        expect(await store.changeWorkspace(acme, { disabledAt: now }, testAuthor)).toMatchObject(disabled);
        expect(await store.findWorkspace("Acme")).toMatchObject(disabled);
        const change = store.changeWorkspace(asWorkspaceId(newId()), { plan: "free" }, testAuthor);
        await expect(change).rejects.toMatchObject({ code: "not_found" });
      });
    });

    describe("corpora", () => {
      function publication(name: string, fields: Partial<Publication> & { sha256?: string } = {}): Publication {
        const { sha256 = "01", ...rest } = fields;
        const id = newId();
        const file = { id, fileName: "leak.csv", format: "csv", recordCount: 3, importedAt: now, sha256 };
        const how = {
          contentSha256: null,
          rules: 1,
          importer: "cli",
          options: { date: "2021" },
          readCount: 5,
          skipped: { no_email: 2 },
          durationMs: 7,
        };
        return {
          name,
          scope: null,
          confidence: { value: 0.75, isGiven: false },
          origin: { value: name, isGiven: false },
          revision: newId(),
          import: { ...file, ...how },
          segment: { file: `${id}.seg`, addressCount: 2, recordCount: 3, templateCount: 1, sizeBytes: 4096 },
          ...rest,
        };
      }

      /** The revision of the corpora that a scan of a workspace would see. */
      async function revisionOf(workspaceId: WorkspaceId): Promise<string> {
        const runner = { owner: "command", leaseUntil: later(minute), isRefresh: true };
        const reply = await serve(enrichCall(workspaceId, { runner }));
        if (reply.kind !== "claimed") throw new Error(`not claimed: ${reply.kind}`);
        return reply.scan.corporaRevision;
      }

      test("a first import makes the corpus, a further one adds to it, both by name and in order", async () => {
        const first = publication("lists");
        now = later(minute);
        const second = publication("lists", { sha256: "02" });
        const leaks = publication("leaks", { scope: acme, origin: { value: "dehashed", isGiven: true } });
        for (const one of [first, second, leaks])
          expect(await store.publishImport(one, testAuthor)).toMatchObject({ outcome: "published" });
        expect(await store.listCorpora()).toEqual([
          {
            name: "leaks",
            scope: acme,
            confidence: 0.75,
            origin: "dehashed",
            revision: leaks.revision,
            imports: [leaks.import],
            segments: [leaks.segment],
          },
          {
            name: "lists",
            scope: null,
            confidence: 0.75,
            origin: "lists",
            revision: second.revision,
            imports: [first.import, second.import],
            segments: [first.segment, second.segment].sort((a, b) => (a.file < b.file ? -1 : 1)),
          },
        ]);
      });

      test("the same bytes under one name change nothing; under another name they count", async () => {
        const first = publication("lists");
        await store.publishImport(first, testAuthor);
        const before = await store.listCorpora();
        expect(await store.publishImport(publication("lists"), testAuthor)).toMatchObject({
          outcome: "already_imported",
        });
        expect(await store.listCorpora()).toEqual(before);
        expect(await revisionOf(acme)).toBe(first.revision);
        expect(await store.publishImport(publication("leaks"), testAuthor)).toMatchObject({ outcome: "published" });
      });

      test("another scope is refused and changes nothing", async () => {
        await store.publishImport(publication("lists", { scope: acme }), testAuthor);
        const before = await store.listCorpora();
        for (const scope of [null, other]) {
          const further = publication("lists", { scope, sha256: "02" });
          await expect(store.publishImport(further, testAuthor)).rejects.toMatchObject({ code: "conflict" });
        }
        expect(await store.listCorpora()).toEqual(before);
      });

      test("the first import fixes confidence and origin until one is given, also with bytes that are there already", async () => {
        await store.publishImport(publication("lists"), testAuthor);
        const defaults = { confidence: { value: 0.5, isGiven: false }, origin: { value: "combo", isGiven: false } };
        await store.publishImport(publication("lists", { ...defaults, sha256: "02" }), testAuthor);
        expect(await store.listCorpora()).toMatchObject([{ confidence: 0.75, origin: "lists" }]);
        const given = publication("lists", { ...defaults, confidence: { value: 0.9, isGiven: true } });
        expect(await store.publishImport(given, testAuthor)).toMatchObject({ outcome: "already_imported" });
        expect(await store.listCorpora()).toMatchObject([
          { confidence: 0.9, origin: "lists", revision: given.revision },
        ]);
        expect(await revisionOf(acme)).toBe(given.revision);
        await store.publishImport(publication("lists", { origin: { value: "combo", isGiven: true } }), testAuthor);
        expect(await store.listCorpora()).toMatchObject([{ confidence: 0.9, origin: "combo" }]);
      });

      test("a change is new data for the workspaces that see the corpus, and for no other", async () => {
        const shared = publication("lists");
        await store.publishImport(shared, testAuthor);
        expect([await revisionOf(acme), await revisionOf(other)]).toEqual([shared.revision, shared.revision]);
        const own = publication("leaks", { scope: acme });
        await store.publishImport(own, testAuthor);
        expect([await revisionOf(acme), await revisionOf(other)]).toEqual([own.revision, shared.revision]);
        expect(await store.removeCorpus("leaks", "gone", testAuthor)).toBe(true);
        expect([await revisionOf(acme), await revisionOf(other)]).toEqual(["gone", shared.revision]);
        expect(await store.removeCorpus("lists", "gone too", testAuthor)).toBe(true);
        expect([await revisionOf(acme), await revisionOf(other)]).toEqual(["gone too", "gone too"]);
        expect(await store.listCorpora()).toEqual([]);
      });

      test("a change makes a stored result stale at once", async () => {
        await queue(acme);
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        expect(await serve(enrichCall(acme))).toMatchObject({ kind: "completed" });
        await store.publishImport(publication("lists"), testAuthor);
        expect(await serve(enrichCall(acme))).toMatchObject({ kind: "accepted" });
      });

      test("removing what is not there changes nothing", async () => {
        expect(await store.removeCorpus("lists", "gone", testAuthor)).toBe(false);
        expect(await revisionOf(acme)).toBe("");
      });

      const merged = { file: "merged.seg", addressCount: 4, recordCount: 6, templateCount: 2, sizeBytes: 8192 };

      test("one segment in the place of several holds what is live of them, and nothing is new data", async () => {
        const [first, second] = [publication("lists"), publication("leaks")];
        for (const one of [first, second]) await store.publishImport(one, testAuthor);
        const files = [first.segment.file, second.segment.file];
        const importIds = [first.import.id, second.import.id];
        expect(await store.replaceSegments({ files, merged, importIds })).toBe(true);
        expect(await store.listCorpora()).toMatchObject([
          { name: "leaks", segments: [merged] },
          { name: "lists", segments: [merged] },
        ]);
        expect(await revisionOf(acme)).toBe(second.revision);
        // It stays while something in it counts.
        await store.removeCorpus("leaks", "gone", testAuthor);
        expect(await store.listCorpora()).toMatchObject([{ name: "lists", segments: [merged] }]);
        await store.removeCorpus("lists", "gone too", testAuthor);
        expect(await store.replaceSegments({ files: [merged.file], merged: null, importIds: [] })).toBe(false);
      });

      test("a merge that comes after a removal changes nothing, or leaves out what was removed", async () => {
        const [first, second] = [publication("lists"), publication("leaks")];
        for (const one of [first, second]) await store.publishImport(one, testAuthor);
        const files = [first.segment.file, second.segment.file];
        const importIds = [first.import.id, second.import.id];
        await store.removeCorpus("leaks", "gone", testAuthor);
        expect(await store.replaceSegments({ files, merged, importIds })).toBe(false);
        expect(await store.listCorpora()).toMatchObject([{ name: "lists", segments: [first.segment] }]);
        expect(await store.replaceSegments({ files: [first.segment.file], merged, importIds })).toBe(true);
        expect(await store.listCorpora()).toMatchObject([{ name: "lists", segments: [merged] }]);
        expect(await store.replaceSegments({ files: [merged.file], merged: null, importIds: [] })).toBe(true);
        expect(await store.listCorpora()).toMatchObject([{ name: "lists", segments: [] }]);
      });

      test("a corpus that was removed comes back with its new import only", async () => {
        await store.publishImport(publication("lists", { scope: acme }), testAuthor);
        await store.removeCorpus("lists", "gone", testAuthor);
        const again = publication("lists", { confidence: { value: 0.5, isGiven: false } });
        expect(await store.publishImport(again, testAuthor)).toMatchObject({ outcome: "published" });
        expect(await store.listCorpora()).toMatchObject([
          { scope: null, confidence: 0.5, imports: [{ id: again.import.id }] },
        ]);
      });
    });

    describe("forgetting", () => {
      test("an address loses its scans in every state, its answers and its ledger rows, in every workspace", async () => {
        await queue(acme);
        await settle(await claimed(), [run("hibp", answer("hibp"))]);
        expect(await serve(enrichCall(acme))).toMatchObject({ kind: "completed" });
        const waiting = await serve(enrichCall(other));
        const runner = { owner: "command", leaseUntil: later(minute), isRefresh: true };
        const running = await serve(enrichCall(acme, { runner }));
        if (waiting.kind !== "accepted" || running.kind !== "claimed") throw new Error("not as it should begin");

        await store.forget({ indicatorHash: jane.hash, corpusHash: "0011223344556677" }, testAuthor);
        for (const reply of [await poll(other, waiting.scanId), await poll(acme, running.scan.claim.scanId)]) {
          expect(reply).toMatchObject({ kind: "refused", error: { code: "not_found" } });
        }
        expect(await store.saveRuns(running.scan.claim, [run("hibp", answer("hibp"))], "scanning")).toBe(false);
        expect(
          await store.claimScans({
            owner: "x",
            leaseUntil: later(minute),
            afterWorkspaceId: null,
            maxCount: 1,
            fingerprintOf: () => "",
          }),
        ).toEqual([]);
        const again = await serve(enrichCall(acme, { runner }));
        expect(again).toMatchObject({ kind: "claimed", scan: { answers: [] } });
      });

      test("a key is forgotten for good, also when it is forgotten twice", async () => {
        expect(await store.isForgotten("0011223344556677")).toBe(false);
        for (const corpusHash of ["8811223344556677", "0011223344556677", "0011223344556677"]) {
          await store.forget({ indicatorHash: "none", corpusHash }, testAuthor);
        }
        expect(await store.isForgotten("0011223344556677")).toBe(true);
        expect(await store.isForgotten("0011223344556678")).toBe(false);
        expect(await store.listForgotten()).toEqual(["0011223344556677", "8811223344556677"]);
      });
    });

    describe("turns", () => {
      const pace = { count: 2, windowMs: minute };
      const take = (notAfter: Date, at = now) => store.takeSlot("hibp", pace, notAfter, at);

      test("no window holds more turns than the pace allows", async () => {
        const taken = [await take(later(day)), await take(later(day)), await take(later(day)), await take(later(day))];
        expect(taken).toEqual([now, now, later(minute), later(minute)]);
        expect(await take(later(day), later(2 * minute))).toEqual(later(2 * minute));
      });

      test("a turn that would come too late is not taken", async () => {
        for (let count = 0; count < 2; count += 1) await take(now);
        expect(await take(later(minute - 1))).toBeNull();
        expect(await take(later(minute))).toEqual(later(minute));
      });

      test("each source has turns of its own", async () => {
        for (let count = 0; count < 2; count += 1) await take(now);
        expect(await store.takeSlot("emailrep", pace, now, now)).toEqual(now);
      });

      test("a pause holds every turn back, with a pace and without, and is never shortened", async () => {
        await store.pauseSource("hibp", later(2 * minute));
        await store.pauseSource("hibp", later(minute));
        expect(await take(later(minute))).toBeNull();
        expect(await store.takeSlot("hibp", null, later(minute), now)).toBeNull();
        expect(await store.takeSlot("hibp", null, later(day), now)).toEqual(later(2 * minute));
        expect(await take(later(day))).toEqual(later(2 * minute));
        expect(await take(later(day), later(3 * minute))).toEqual(later(3 * minute));
      });

      test("what was taken and paused is listed by name, for who only wants to know", async () => {
        expect(await store.listTurns()).toEqual(new Map());
        await take(later(day));
        await store.pauseSource("misp", later(minute));
        const listed = new Map([
          ["hibp", { slots: [now.getTime()], pausedUntil: 0 }],
          ["misp", { slots: [], pausedUntil: later(minute).getTime() }],
        ]);
        expect(await store.listTurns()).toEqual(listed);
        expect(await store.listTurns()).toEqual(listed);
      });

      test("a source without a pace is asked at once, as often as one likes", async () => {
        for (let count = 0; count < 5; count += 1) expect(await store.takeSlot("misp", null, now, now)).toEqual(now);
      });

      test("turns and pauses from before the clock moved back do not block a source", async () => {
        for (let count = 0; count < 2; count += 1) await take(now);
        await store.pauseSource("hibp", later(minute));
        now = later(-2 * day);
        expect(await take(now)).toEqual(now);
        expect(await take(now)).toEqual(now);
        expect(await take(now)).toBeNull();
      });

      test.each([pace, null])(
        "a pause holds also after one from before the clock moved back, with pace %j",
        async (of) => {
          await store.pauseSource("hibp", later(minute));
          now = later(-2 * day);
          expect(await store.takeSlot("hibp", of, now, now)).toEqual(now);
          await store.pauseSource("hibp", later(minute));
          expect(await store.takeSlot("hibp", of, now, now)).toBeNull();
        },
      );
    });

    async function insertKeyWithHash(fields: Partial<NewApiKey> = {}): Promise<string> {
      const key = newKey(fields);
      await store.insertKey(acme, key, testAuthor);
      return key.hash;
    }

    async function listKeys() {
      return (await store.listKeys(acme, { limit: 100, cursor: null, status: null, now })).items;
    }
  });
}

function only<Item>(items: readonly Item[]): Item {
  const [item] = items;
  if (item === undefined || items.length !== 1) throw new Error(`${items.length} items`);
  return item;
}

function asWorkspaceId(text: string): WorkspaceId {
  return text as WorkspaceId;
}

function asScanId(text: string): ScanId {
  return text as ScanId;
}
