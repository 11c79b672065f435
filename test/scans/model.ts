/** A statement that a source can make about the address. */
export type Statement = {
  readonly title: string;
  readonly subject: string;
  readonly severity: "high" | "medium" | "low";
};

/** The current state of a source. The real system and the model read it; commands of the test change it. */
export type WorldSource = {
  readonly name: string;
  readonly origin: string;
  confidence: number;
  isEnabled: boolean;
  isAllowed: boolean;
  isUp: boolean;
  says: readonly Statement[];
};
export type World = { now: number; readonly sources: readonly WorldSource[] };

type Answer = {
  fingerprint: string;
  confidence: number;
  origin: string;
  at: number;
  says: readonly Statement[];
  hasFailedSince?: boolean;
};
type Run = { outcome: "ok" | "no_data" | "failed" | "skipped"; answer: Answer | null; isReused: boolean };
type Asked = Omit<WorldSource, "isEnabled"> & { fingerprint: string };
type Corpus = { scope: string | null; revision: string; says: readonly Statement[] };
type ModelScan = {
  readonly id: string;
  readonly workspace: string;
  state: "queued" | "scanning" | "completed" | "failed" | "removed";
  owner: string;
  leaseUntil: number;
  claimCount: number;
  /** State at the claim: the data that the scan sees and the last answers. */
  data: string;
  asked: Map<string, Asked>;
  last: Map<string, Answer>;
  runs: Map<string, Run>;
  asOf: number;
  finishedAt: number;
  isPartial: boolean;
  findings: readonly Atom[];
};
type Atom = ReturnType<Model["project"]>[number];

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
export const lifetimes = { cacheTtlMs: day, partialTtlMs: 15 * minute, retentionMs: 30 * day };
export const ledgerRetentionMs = 400 * day;
export const leaseMs = hour;

/** A naive implementation of docs/contract.md 5 and 7: without a database, concurrency or serialization. */
export class Model {
  readonly world: World;
  readonly scans: ModelScan[] = [];
  readonly corpora = new Map<string, Corpus>();
  readonly #revisions = new Map<string, string>();
  readonly #answers = new Map<string, Map<string, Answer>>();
  readonly #ledger = new Map<string, { first: number; last: number }>();
  /** In the order of completion; the store considers the newest eight scans of an address. */
  readonly #finished: ModelScan[] = [];
  #servedLast = "";

  constructor(world: World) {
    this.world = world;
  }

  #age = (since: number) => Math.max(0, this.world.now - since);

  #askedBy(workspace: string): Map<string, Asked> {
    const enabled = this.world.sources.filter((source) => source.isEnabled);
    const visible = [...this.corpora].filter(([, { scope }]) => scope === null || scope === workspace);
    const corpora = visible.map(([name, { revision, says }]) => {
      const always = { isAllowed: true, isUp: true, confidence: 0.75, origin: "corpora" };
      return [name, { ...always, name, says, fingerprint: revision }] as const;
    });
    const online = enabled.map((source) => [source.name, { ...source, fingerprint: `${source.confidence}` }] as const);
    return new Map([...online, ...corpora]);
  }

  #dataOf(workspace: string): string {
    const online = this.world.sources.filter((source) => source.isEnabled);
    const settings = online.map(({ name, confidence, isAllowed }) => [name, confidence, isAllowed]);
    return JSON.stringify([settings, this.#revisions.get(workspace)]);
  }

  /** The scan that serves a POST, and whether it is a hit. Adds a scan with `newId` when no scan can serve the POST. */
  post(workspace: string, newId: string): { isHit: boolean; scan: ModelScan } {
    const hit = this.freshScan(workspace);
    if (hit !== undefined) return { isHit: true, scan: hit };
    const data = this.#dataOf(workspace);
    const joined = this.scans.findLast(
      (scan) =>
        scan.workspace === workspace && (scan.state === "queued" || (scan.state === "scanning" && scan.data === data)),
    );
    return { isHit: false, scan: joined ?? this.add(workspace, newId) };
  }

  freshScan(workspace: string): ModelScan | undefined {
    const data = this.#dataOf(workspace);
    const results = this.#finished.filter((scan) => scan.workspace === workspace && scan.state !== "removed").slice(-8);
    // The newest result on these data decides, because an older result must not replace it.
    const newest = results.findLast((scan) => scan.state === "completed" && scan.data === data);
    if (newest === undefined || this.#age(newest.asOf) >= lifetimes.cacheTtlMs) return undefined;
    return newest.isPartial && this.#age(newest.finishedAt) >= lifetimes.partialTtlMs ? undefined : newest;
  }

  add(workspace: string, id: string): ModelScan {
    const none = { owner: "", leaseUntil: 0, claimCount: 0, data: "", asOf: 0, finishedAt: 0, isPartial: false };
    const maps = { asked: new Map(), last: new Map(), runs: new Map(), findings: [] };
    const scan: ModelScan = { id, workspace, state: "queued", ...none, ...maps };
    this.scans.push(scan);
    return scan;
  }

  /** The oldest queued scan of the workspace that is next in turn. */
  next(): ModelScan | undefined {
    const queued = this.scans.filter((scan) => scan.state === "queued");
    const workspaces = queued.map((scan) => scan.workspace).sort();
    const turn = workspaces.find((workspace) => workspace > this.#servedLast) ?? workspaces[0];
    return queued.find((scan) => scan.workspace === turn);
  }

  /** Claims a scan: records the data that it will see. */
  claim(scan: ModelScan, owner: string): void {
    const { workspace } = scan;
    if (owner === "service") this.#servedLast = workspace;
    const claim = { state: "scanning", owner, leaseUntil: this.world.now + leaseMs } as const;
    Object.assign(scan, claim, { claimCount: scan.claimCount + 1, data: this.#dataOf(workspace), runs: new Map() });
    Object.assign(scan, { asked: this.#askedBy(workspace), last: new Map(this.#answersOf(workspace)) });
  }

  /** Reuses fresh answers and asks all other sources except the slow ones. */
  begin(scan: ModelScan, slow: readonly string[], isRefresh: boolean): void {
    for (const source of scan.asked.values()) {
      const last = scan.last.get(source.name);
      const isFresh = last?.fingerprint === source.fingerprint && this.#age(last.at) < lifetimes.cacheTtlMs;
      if (last !== undefined && isFresh && !isRefresh && last.hasFailedSince !== true)
        scan.runs.set(source.name, runOf(last, true));
      else if (!source.isAllowed) scan.runs.set(source.name, { outcome: "skipped", answer: null, isReused: false });
      else if (!slow.includes(source.name)) this.#hear(scan, source);
    }
  }

  #answersOf(workspace: string): Map<string, Answer> {
    const answers = this.#answers.get(workspace) ?? new Map();
    this.#answers.set(workspace, answers);
    return answers;
  }

  #hear(scan: ModelScan, source: Asked): void {
    const { isUp, says } = this.world.sources.find(({ name }) => name === source.name) ?? source;
    const answers = this.#answersOf(scan.workspace);
    const last = answers.get(source.name);
    if (!isUp && last !== undefined) answers.set(source.name, { ...last, hasFailedSince: true });
    if (!isUp) return void scan.runs.set(source.name, { outcome: "failed", answer: null, isReused: false });
    const { fingerprint, confidence, origin } = source;
    const answer = { fingerprint, confidence, origin, at: this.world.now, says };
    scan.runs.set(source.name, runOf(answer, false));
    answers.set(source.name, answer);
  }

  /** Sources that a running scan still waits for. */
  slowOf = (scan: ModelScan) => [...scan.asked.values()].filter(({ name }) => !scan.runs.has(name));

  finish(scan: ModelScan): void {
    for (const source of this.slowOf(scan)) this.#hear(scan, source);
    const runs = [...scan.runs.values()];
    const { now } = this.world;
    const reused = runs.flatMap(({ isReused, answer }) => (isReused && answer !== null ? [answer.at] : []));
    scan.state = runs.some(({ answer }) => answer !== null) ? "completed" : "failed";
    this.#finished.push(scan);
    scan.isPartial = runs.some(({ outcome }) => outcome === "failed");
    Object.assign(scan, { finishedAt: now, asOf: Math.min(now, ...reused) });
    if (scan.state === "completed") scan.findings = this.project(scan);
  }

  /** Records the findings of the envelope in the ledger, and corroborates them. */
  project(scan: ModelScan) {
    const stated = [...scan.runs].flatMap(([source, run]) => {
      const answer = run.answer ?? (run.outcome === "failed" ? this.#kept(scan, source) : null);
      return answer?.says.map((statement) => ({ source, ...answer, ...statement })) ?? [];
    });
    const atoms = stated.map(({ source, origin, title, subject, severity, confidence, at }) => {
      const key = `${scan.workspace} ${source} ${title}`;
      const { first, last } = this.#ledger.get(key) ?? { first: at, last: at };
      const isForgotten = last < this.world.now - ledgerRetentionMs;
      const sighting = { first: isForgotten ? at : first, last: Math.max(last, at) };
      this.#ledger.set(key, sighting);
      const agreeing = stated.filter((other) => other.subject === subject && other.origin !== origin);
      const origins = [...new Set(agreeing.map((other) => other.origin))];
      const names = origins.map((one) => agreeing.filter((other) => other.origin === one).map((other) => other.source));
      return {
        ...{ source, source_confidence: confidence, corroboration_count: origins.length },
        ...{ corroborated_by: names.map((sources) => sources.sort()[0]).sort(), severity, title },
        ...{ first_seen: second(sighting.first), last_seen: second(sighting.last), answered_at: second(at) },
      };
    });
    return atoms.sort(
      (a, b) =>
        "hml".indexOf(a.severity.charAt(0)) - "hml".indexOf(b.severity.charAt(0)) ||
        b.source_confidence - a.source_confidence ||
        (`${a.source} ${a.title}` < `${b.source} ${b.title}` ? -1 : 1),
    );
  }

  #kept(scan: ModelScan, source: string): Answer | null {
    const last = scan.last.get(source);
    const isKept = last?.fingerprint === scan.asked.get(source)?.fingerprint;
    return last !== undefined && isKept && this.#age(last.at) <= lifetimes.retentionMs ? last : null;
  }

  /** Queues a running scan again; after three counted claims the scan fails. */
  requeue(scan: ModelScan, isCounted: boolean): void {
    scan.state = isCounted && scan.claimCount >= 3 ? "failed" : "queued";
    scan.claimCount -= isCounted ? 0 : 1;
    scan.finishedAt = this.world.now;
    if (scan.state === "failed") this.#finished.push(scan);
  }

  change(name: string, corpus: Corpus | null, revision: string): void {
    const scope = (corpus ?? this.corpora.get(name))?.scope ?? null;
    if (corpus === null) this.corpora.delete(name);
    else this.corpora.set(name, corpus);
    for (const workspace of ["w1", "w2"]) {
      if (scope === null || scope === workspace) this.#revisions.set(workspace, revision);
    }
  }

  /** After its retention no caller can read a scan, whether or not it is deleted already. */
  isGone(scan: ModelScan): boolean {
    const isFinished = scan.state === "completed" || scan.state === "failed";
    return scan.state === "removed" || (isFinished && this.#age(scan.finishedAt) > lifetimes.retentionMs);
  }

  /** Deletes expired data. */
  sweep(): void {
    const { now } = this.world;
    const isPast = (at: number, lifetimeMs: number) => at < now - lifetimeMs;
    for (const scan of this.scans) {
      const isFinished = scan.state === "completed" || scan.state === "failed";
      if (isFinished && isPast(scan.finishedAt, lifetimes.retentionMs)) scan.state = "removed";
    }
    for (const answers of this.#answers.values()) {
      for (const [source, { at }] of answers) if (isPast(at, lifetimes.retentionMs)) answers.delete(source);
    }
    for (const [key, { last }] of this.#ledger) if (isPast(last, ledgerRetentionMs)) this.#ledger.delete(key);
  }
}

function runOf(answer: Answer, isReused: boolean): Run {
  return { outcome: answer.says.length > 0 ? "ok" : "no_data", answer, isReused };
}

function second(at: number): string {
  return new Date(at).toISOString().replace(".000Z", "+00:00");
}
