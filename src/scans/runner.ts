import type { Corpus } from "../domain/corpus.ts";
import type { ClaimedScan, ScanId } from "../domain/scan.ts";
import type { WorkspaceId } from "../domain/workspace.ts";
import { type Repeated, repeat } from "../event-loop/repeat.ts";
import type { CorpusStore } from "../store/port/corpus.ts";
import type { ScanStore } from "../store/port/scan.ts";
import type { Live } from "./live.ts";
import { areAskedTogether, runGroup } from "./run-group.ts";
import { runScan, type ScanTools } from "./run-scan.ts";

/** The owner name of the service. Its lock ensures that only one service runs on a data directory. */
const serviceOwner = "service";

/** Length of a lease. A claim whose lease ends without renewal goes to the next runner. */
export const leaseMs = 30_000;
/** Maximum number of scans that begin in one turn of the event loop; more would delay the hits of that turn. */
const maxBegunPerTurn = 8;
/** Scans that are run together where only corpora answer: some milliseconds of work, then others have their turn. */
const scansPerGroup = 128;
/** A group that takes longer, because a disk is slow, keeps nobody else waiting any longer. */
const longestGroupMs = 100;
/** Interval at which leases are renewed and expired leases of dead commands are found. */
const heartbeatMs = 5_000;

export type RunnerTools = Omit<ScanTools, "store"> & {
  readonly store: ScanStore & Pick<CorpusStore, "listCorpora">;
  readonly log: ScanTools["log"] & { readonly error: (fields: object, message: string) => void };
};

/** A scan that runs; the scans of a group share `abort` and `done`. */
type Active = {
  readonly scan: ClaimedScan;
  readonly isAlone: boolean;
  readonly abort: AbortController;
  readonly done: Promise<void>;
};

/** Claims queued scans, at most `scan.concurrency` at once, and runs them. */
export class Runner {
  readonly #tools: RunnerTools;
  readonly #live: () => Live;
  readonly #active = new Map<ScanId, Active>();
  readonly #waiters = new Map<ScanId, Set<() => void>>();
  #lastWorkspaceId: WorkspaceId | null = null;
  #filling: Promise<void> = Promise.resolve();
  /** Scans that run alone, and groups. */
  #runCount = 0;
  #isFilling = false;
  #mustLookAgain = false;
  #isStopping = false;
  #hasQueuedLeftovers = false;
  #heartbeat: Repeated | null = null;

  constructor(live: () => Live, tools: RunnerTools) {
    this.#live = live;
    this.#tools = tools;
  }

  /**
   * Queues scans that a crash interrupted again, under the same ids, and starts running scans. While the database
   * cannot be written, both wait.
   */
  async start(): Promise<void> {
    await this.#queueLeftovers();
    this.#heartbeat = repeat(() => this.#beat(), {
      everyMs: heartbeatMs,
      onError: (error) => this.#tools.log.error({ err: error }, "a heartbeat failed"),
    });
    this.wake();
  }

  /** Looks for queued scans. Cheap and safe to call at any time. */
  wake(): void {
    this.#mustLookAgain = true;
    if (!this.#isFilling) this.#filling = this.#fill();
  }

  /** Resolves when the scan ends in this process, `timeoutMs` is over, the runner stops or `signal` aborts. */
  whenSettled(scanId: ScanId, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isStopping || signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiters = this.#waiters.get(scanId) ?? new Set();
    this.#waiters.set(scanId, waiters.add(resolve));
    const timer = setTimeout(resolve, timeoutMs);
    const leave = () => resolve();
    signal.addEventListener("abort", leave, { once: true });
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      waiters.delete(resolve);
      if (waiters.size === 0 && this.#waiters.get(scanId) === waiters) this.#waiters.delete(scanId);
    });
  }

  /** Claims no more scans, waits `graceMs` for active scans, and queues the rest again without counting the claim. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    const beating = this.#heartbeat?.stop();
    for (const waiters of this.#waiters.values()) for (const resolve of waiters) resolve();
    await Promise.all([beating, this.#filling]);
    const rest = Promise.all([...this.#active.values()].map(({ done }) => done));
    await Promise.race([rest, Bun.sleep(graceMs)]);
    if (this.#active.size === 0) return;
    for (const { abort } of this.#active.values()) abort.abort(new Error("the service stops"));
    await this.#tools.store.requeueScans({ owner: serviceOwner }, { isCounted: false, now: this.#tools.now() });
    await Promise.race([rest, Bun.sleep(graceMs)]);
  }

  async #fill(): Promise<void> {
    this.#isFilling = true;
    while (this.#mustLookAgain && !this.#isStopping) {
      // Fill all places that become free in one turn together, and let other work run in between.
      await new Promise((resolve) => setImmediate(resolve));
      this.#mustLookAgain = false;
      const maxCount = Math.min(maxBegunPerTurn, this.#live().concurrency - this.#runCount);
      if (maxCount <= 0 || this.#isStopping) continue;
      const scans = await this.#claim(maxCount);
      if (scans.length === 0) continue;
      const corpora = this.#tools.store.listCorpora();
      const started = this.#groupsOf(scans).map((group) => this.#begin(group, corpora));
      const isGrouped = started.length < scans.length;
      // A group is processor time: it ends before the next one begins, unless it waits for something.
      if (isGrouped) await Promise.race([Promise.all(started), Bun.sleep(longestGroupMs)]);
      if (isGrouped || scans.length === maxCount) this.#mustLookAgain = true;
    }
    // No await since the last check of mustLookAgain, so no call of wake is lost.
    this.#isFilling = false;
  }

  /** Before this process makes its first claim, all claims of this owner belong to a dead process. */
  async #queueLeftovers(): Promise<boolean> {
    if (this.#hasQueuedLeftovers) return true;
    const { store, now, log } = this.#tools;
    try {
      await store.requeueScans({ owner: serviceOwner }, { isCounted: true, now: now() });
      this.#hasQueuedLeftovers = true;
    } catch (error) {
      log.error({ err: error }, "scans from before the start could not be queued again, they wait");
    }
    return this.#hasQueuedLeftovers;
  }

  async #claim(maxCount: number): Promise<ClaimedScan[]> {
    const { store, now, log } = this.#tools;
    if (!(await this.#queueLeftovers())) return [];
    try {
      const scans = await store.claimScans({
        owner: serviceOwner,
        leaseUntil: new Date(now().getTime() + leaseMs),
        afterWorkspaceId: this.#lastWorkspaceId,
        maxCount,
        fingerprintOf: this.#live().fingerprintOf,
        groupSizeOf: (workspace) => this.#groupSizeOf(workspace),
      });
      this.#lastWorkspaceId = scans.at(-1)?.workspace.id ?? this.#lastWorkspaceId;
      return scans;
    } catch (error) {
      // The scans stay queued; the next heartbeat looks again.
      log.error({ err: error }, "no scan could be claimed");
      return [];
    }
  }

  /** More than one where all that a workspace may ask are corpora. */
  #groupSizeOf(workspace: ClaimedScan["workspace"]): number {
    return this.#live().asksCorporaOnly(workspace) ? scansPerGroup : 1;
  }

  #groupsOf(scans: readonly ClaimedScan[]): ClaimedScan[][] {
    const groups: ClaimedScan[][] = [];
    for (const [id, ofWorkspace] of Map.groupBy(scans, ({ workspace }) => workspace.id)) {
      const [first] = ofWorkspace;
      if (first === undefined || id === null) continue;
      if (ofWorkspace.length > 1 && this.#groupSizeOf(first.workspace) > 1) groups.push(ofWorkspace);
      else groups.push(...ofWorkspace.map((scan) => [scan]));
    }
    return groups;
  }

  #begin(group: readonly ClaimedScan[], corpora: Promise<Corpus[]>): Promise<void> {
    const abort = new AbortController();
    const [first, ...others] = group;
    const isAlone = others.length === 0;
    this.#runCount += 1;
    const running =
      isAlone && first !== undefined
        ? this.#run(first, corpora, abort.signal)
        : this.#runGroup(group, corpora, abort.signal);
    const done = running.finally(() => {
      this.#runCount -= 1;
      for (const { claim } of group) {
        this.#active.delete(claim.scanId);
        for (const resolve of this.#waiters.get(claim.scanId) ?? []) resolve();
      }
      this.wake();
    });
    for (const scan of group) this.#active.set(scan.claim.scanId, { scan, isAlone, abort, done });
    return done;
  }

  async #runGroup(scans: readonly ClaimedScan[], corpora: Promise<Corpus[]>, signal: AbortSignal): Promise<void> {
    const { log } = this.#tools;
    const live = this.#live();
    const [first] = scans;
    if (first === undefined) return;
    try {
      const sources = live.sourcesOf(first.workspace, await corpora);
      if (!areAskedTogether(sources)) {
        // A reload brought a further source just now.
        await Promise.all(scans.map((scan) => this.#run(scan, corpora, signal)));
        return;
      }
      const lost = await runGroup({ scans, sources, live, signal }, this.#tools);
      for (const { claim } of lost) log.warn({ request_id: claim.scanId }, "scan was taken away");
    } catch (error) {
      // As for a scan alone: each claim stands until its lease ends.
      if (!signal.aborted) log.error({ scans: scans.length, err: error }, "scans broke off");
    }
  }

  async #run(scan: ClaimedScan, corpora: Promise<Corpus[]>, signal: AbortSignal): Promise<void> {
    const { log } = this.#tools;
    const live = this.#live();
    try {
      const sources = live.sourcesOf(scan.workspace, await corpora);
      const isSettled = await runScan({ scan, sources, live, isRefresh: false, signal }, this.#tools);
      if (!isSettled) log.warn({ request_id: scan.claim.scanId }, "scan was taken away");
    } catch (error) {
      // The claim stays until its lease ends; then the scan is queued again, three times at most.
      if (!signal.aborted) log.error({ request_id: scan.claim.scanId, err: error }, "scan broke off");
    }
  }

  async #beat(): Promise<void> {
    const { store, now, log } = this.#tools;
    try {
      const claims = [...this.#active.values()].map(({ scan }) => scan.claim);
      const held = await store.extendLeases(claims, new Date(now().getTime() + leaseMs));
      const heldIds = new Set(held.map(({ scanId }) => scanId));
      for (const { scanId } of claims) {
        const active = this.#active.get(scanId);
        // One of a group ends with it: nothing is written for a claim that is lost.
        if (!heldIds.has(scanId) && active?.isAlone === true) active.abort.abort(new Error("the claim is lost"));
      }
      await store.requeueScans({ leaseOverAt: now() }, { isCounted: true, now: now() });
    } catch (error) {
      log.error({ err: error }, "leases could not be renewed");
    }
    this.wake();
  }
}
