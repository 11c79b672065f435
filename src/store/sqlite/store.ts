import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { ApiKey } from "../../domain/api-key.ts";
import {
  type AuditEvent,
  type AuditHead,
  type AuditRow,
  type AuditState,
  type Author,
  auditEvent,
} from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import type { Operator } from "../../domain/operator.ts";
import type { Claim, ClaimedScan, SourceRun, UnfinishedState } from "../../domain/scan.ts";
import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";
import type * as port from "../store.ts";
import { answerTable } from "./answer.ts";
import { apiKeyTable } from "./api-key.ts";
import { auditTable } from "./audit.ts";
import { subjectTable } from "./audit-subject.ts";
import { budgetTable } from "./budget.ts";
import { callHandler } from "./call.ts";
import { copyDatabase, faultOf } from "./copy.ts";
import { corpusTable } from "./corpus.ts";
import {
  becomeImpatient,
  type Connection,
  emptyLog,
  openConnection,
  type Patience,
  transact,
  transactPatiently,
  unavailableFor,
  untilFree,
} from "./driver.ts";
import { evidenceTable } from "./evidence.ts";
import { lazily } from "./lazily.ts";
import { currentVersion, migrate, openSchema, schemaVersion } from "./migrate.ts";
import { operatorTable } from "./operator.ts";
import { overviewReader } from "./overview.ts";
import { paceTable } from "./pace.ts";
import { polledTable } from "./polled.ts";
import { readyResultTable } from "./ready-result.ts";
import type { Reserve } from "./reserve.ts";
import { scanTable } from "./scan.ts";
import { scanClaims } from "./scan-claim.ts";
import { schemaFaults } from "./schema.ts";
import { scanSettler } from "./settle-scan.ts";
import { shareTransactions } from "./shared-transaction.ts";
import { sightingTable } from "./sighting.ts";
import { sourceFingerprintTable } from "./source-fingerprint.ts";
import { sourceRunTable } from "./source-run.ts";
import { sourceUsageTable } from "./source-usage.ts";
import { usageTable } from "./usage.ts";
import { workspaceTable } from "./workspace.ts";

const fileName = "xpose.db";
/** Commands write for milliseconds; whoever holds the lock for longer is not waited for. */
const patient: Patience = { totalMs: 5_000, pauseMs: 20 };
/** For calls: hits can be served without writing, and a caller that misses is told soon. */
const impatient: Patience = { totalMs: 100, pauseMs: 10 };
/** For events that wait: they are tried again a second later, and nothing may be written before them meanwhile. */
const once: Patience = { totalMs: 0, pauseMs: 0 };

/** The last moment that a Date can hold. */
const endOfTime = new Date(8.64e15);

/** What a data directory holds: no database, an unfinished or a newer one, one to migrate first, or one to work with. */
export type DatabaseState = "absent" | "unfinished" | "newer" | "older" | "ready";

/** `secretCheck` as `create` was given it; null where none can be read. */
export type FoundDatabase = { readonly state: DatabaseState; readonly secretCheck: string | null };

const absent: FoundDatabase = { state: "absent", secretCheck: null };

type OpenOptions = {
  readonly isAlone?: boolean;
  readonly isTemporary?: boolean;
  readonly reserve?: Reserve | null;
  readonly now?: Date;
};

/** The port on better-sqlite3: one file in the data directory. */
export class SqliteStore implements port.Store {
  readonly #connection: Connection;
  /** Null for a database that has none: in memory, or a copy. */
  readonly #reserve: Reserve | null;
  readonly #audit: ReturnType<typeof auditTable>;
  readonly #operators: () => ReturnType<typeof operatorTable>;
  readonly #sources: () => ReturnType<typeof sourceFingerprintTable>;
  readonly #workspaces: () => ReturnType<typeof workspaceTable>;
  readonly #keys: () => ReturnType<typeof apiKeyTable>;
  readonly #budgets: ReturnType<typeof budgetTable>;
  readonly #usage: ReturnType<typeof usageTable>;
  readonly #sourceUsage: ReturnType<typeof sourceUsageTable>;
  readonly #overview: () => ReturnType<typeof overviewReader>;
  readonly #scans: ReturnType<typeof scanTable>;
  readonly #claims: ReturnType<typeof scanClaims>;
  readonly #settler: ReturnType<typeof scanSettler>;
  readonly #runs: ReturnType<typeof sourceRunTable>;
  readonly #answers: ReturnType<typeof answerTable>;
  readonly #sightings: ReturnType<typeof sightingTable>;
  readonly #corpora: () => ReturnType<typeof corpusTable>;
  readonly #pace: () => ReturnType<typeof paceTable>;
  readonly #calls: ReturnType<typeof callHandler>;

  private constructor(connection: Connection, auditKey: Uint8Array, reserve: Reserve | null = null) {
    this.#connection = connection;
    this.#reserve = reserve;
    const subjects = subjectTable(connection);
    this.#audit = auditTable(connection, auditKey, subjects);
    this.#workspaces = lazily(() => workspaceTable(connection, this.#audit, subjects));
    this.#operators = lazily(() => operatorTable(connection, this.#audit, subjects));
    this.#budgets = budgetTable(connection);
    this.#usage = usageTable(connection);
    this.#sourceUsage = sourceUsageTable(connection);
    this.#keys = lazily(() => apiKeyTable(connection, this.#audit, subjects, this.#budgets));
    this.#overview = lazily(() => overviewReader(connection, this.#usage, this.#sourceUsage));
    const [ready, evidence, polled] = [
      readyResultTable(connection),
      evidenceTable(connection),
      polledTable(connection),
    ];
    this.#scans = scanTable(connection);
    this.#runs = sourceRunTable(connection);
    this.#answers = answerTable(connection);
    this.#sightings = sightingTable(connection);
    this.#claims = scanClaims(connection, this.#scans, this.#runs, this.#answers);
    this.#settler = scanSettler({
      scans: this.#scans,
      runs: this.#runs,
      answers: this.#answers,
      sightings: this.#sightings,
      evidence,
      ready,
      sourceUsage: this.#sourceUsage,
    });
    this.#corpora = lazily(() => corpusTable(connection, this.#audit));
    this.#sources = lazily(() => sourceFingerprintTable(connection, this.#audit));
    this.#pace = lazily(() => paceTable(connection));
    this.#calls = callHandler(connection, {
      scans: this.#scans,
      claims: this.#claims,
      runs: this.#runs,
      evidence,
      ready,
      polled,
      budgets: this.#budgets,
      usage: this.#usage,
      audit: this.#audit,
    });
    becomeImpatient(connection);
  }

  /** After an upgrade from a schema whose audit events do not say how keys, operators and workspaces stand. */
  #settleUpgrade(now: Date): void {
    const due = this.#connection.prepare("SELECT 1 FROM property WHERE name = 'audit_baseline_due'");
    if (due.get() === undefined) return;
    const by: Author = { at: now, actor: "cli", ip: null, outcome: "ok", correlationId: null };
    transact(this.#connection, "immediate", () => {
      // Another process may have been faster.
      const dropped = this.#connection.prepare("DELETE FROM property WHERE name = 'audit_baseline_due'").run();
      if (dropped.changes === 1) this.#audit.writeBaseline(by);
    });
  }

  /** Creates the database of a new data directory; `secretCheck` ties it to the server secret, as `auditKey` does the audit trail. */
  static create(
    dataDir: string,
    secretCheck: string,
    auditKey: Uint8Array,
    reserve: Reserve | null = null,
  ): SqliteStore {
    const connection = openConnection(databasePath(dataDir), { mustExist: false });
    migrate(connection);
    connection.prepare("INSERT INTO property (name, value) VALUES ('secret_check', ?)").run(secretCheck);
    return new SqliteStore(connection, auditKey, reserve);
  }

  /** The same without a file; it ends with the process. */
  static inMemory(auditKey: Uint8Array): SqliteStore {
    const connection = openConnection(":memory:", { mustExist: false });
    migrate(connection);
    return new SqliteStore(connection, auditKey);
  }

  /** Looks at a data directory without changing it. */
  static inspect(dataDir: string): FoundDatabase {
    if (!existsSync(databasePath(dataDir))) return absent;
    const connection = openConnection(databasePath(dataDir), { mustExist: true });
    try {
      return inspect(connection);
    } finally {
      connection.close();
    }
  }

  /** Copies the database of a data directory of any version: see `Store.backup`. */
  static copyFrom(dataDir: string): Pick<port.Store, "backup"> {
    return { backup: (file, onProgress) => copyDatabase(databasePath(dataDir), file, onProgress) };
  }

  /** Copies a database that nobody works with from one folder to another. */
  static copyClosed(from: string, to: string): void {
    copyFileSync(databasePath(from), databasePath(to));
  }

  /** The schema version of the database in a folder that nobody else works with. */
  static versionIn(folder: string): number {
    const connection = openConnection(databasePath(folder), { mustExist: true, isAlone: true });
    try {
      return schemaVersion(connection);
    } finally {
      connection.close();
    }
  }

  /** Reads the database of a folder in full and says what is wrong with it; null when nothing is. */
  static faultIn(folder: string): string | null {
    let connection: Connection | null = null;
    try {
      connection = openConnection(databasePath(folder), { mustExist: true, isAlone: true });
      return faultOf(connection);
    } catch (error) {
      if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_")) return error.message;
      throw error;
    } finally {
      connection?.close();
    }
  }

  /**
   * Opens the database of an initialised data directory, bringing its schema up to date first if it is older. `admit`
   * is shown what is there before anything changes: it returns the keys to work with, or throws. With `isAlone` nobody
   * else may open it meanwhile; with `isTemporary` it is a copy to read from, whose audit trail is not gone on with.
   * `upgradedFrom` is the schema version of before, null when it was the present one.
   */
  static open<Keys extends { readonly audit: Uint8Array }>(
    dataDir: string,
    admit: (found: FoundDatabase) => Keys,
    { isAlone = false, isTemporary = false, reserve = null, now = new Date() }: OpenOptions = {},
  ): { store: SqliteStore; keys: Keys; upgradedFrom: number | null } {
    if (!existsSync(databasePath(dataDir))) admit(absent);
    const connection = openConnection(databasePath(dataDir), { mustExist: true, isAlone });
    try {
      const keys = admit(inspect(connection));
      const version = schemaVersion(connection);
      migrate(connection);
      const store = new SqliteStore(connection, keys.audit, reserve);
      if (!isTemporary) store.#settleUpgrade(now);
      return { store, keys, upgradedFrom: version < currentVersion ? version : null };
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #write<Result>(work: () => Result): Promise<Result> {
    return transactPatiently(this.#connection, "immediate", patient, work).catch(this.#noteFailure);
  }

  /** For what must not wait for room on the disk: it takes rights away, or lets an operator in who wants to. */
  #writeUrgently<Result>(work: () => Result): Promise<Result> {
    const reserve = this.#reserve;
    if (reserve === null) return this.#write(work);
    return untilFree(patient, () => reserve.spare(() => transact(this.#connection, "immediate", work)));
  }

  readonly #noteFailure = (error: unknown): never => {
    if (error instanceof AppError && error.code === "storage_full") this.#reserve?.noteFailure();
    throw error;
  };

  readonly #failCalls = (error: unknown): never => this.#noteFailure(unavailableFor(error));

  /** For what many scans write at the same time. */
  readonly #writeTogether = shareTransactions((work) => this.#write(work));

  #read<Result>(work: () => Result): Promise<Result> {
    return transactPatiently(this.#connection, "deferred", patient, work);
  }

  handleCalls(
    calls: readonly port.Call[],
    rules: port.CallRules,
    earlier: readonly AuditEvent[],
  ): Promise<port.Reply[]> {
    const work = () => {
      this.#audit.append(this.#calls.onlyFirstPolls(earlier));
      return this.#calls.handle(calls, rules, null).replies;
    };
    return transactPatiently(this.#connection, "immediate", impatient, work).catch(this.#failCalls);
  }

  readCalls(calls: readonly port.Call[], rules: port.CallRules, fault: AppError) {
    return this.#read(() => this.#calls.handle(calls, rules, fault)).catch(this.#failCalls);
  }

  claimScans(request: port.ClaimRequest): Promise<ClaimedScan[]> {
    return this.#writeTogether(() => this.#claims.claim(request));
  }

  extendLeases(claims: readonly Claim[], until: Date): Promise<Claim[]> {
    return this.#write(() => this.#claims.extendLeases(claims, until));
  }

  saveRuns(claim: Claim, runs: readonly SourceRun[], nextState: UnfinishedState): Promise<boolean> {
    return this.#writeTogether(() => {
      const held = this.#claims.held(claim);
      if (held !== undefined) this.#settler.saveRuns(held, runs, nextState);
      return held !== undefined;
    });
  }

  settleScan(settlement: port.Settlement): Promise<boolean> {
    return this.#writeTogether(() => {
      const held = this.#claims.held(settlement.claim);
      if (held !== undefined) this.#settler.settle(held, settlement);
      return held !== undefined;
    });
  }

  requeueScans(
    which: { owner: string } | { leaseOverAt: Date },
    options: { isCounted: boolean; now: Date },
  ): Promise<number> {
    return this.#write(() => this.#claims.requeue(which, options.isCounted, options.now));
  }

  removeExpired(limits: port.RetentionLimits, maxRows: number): Promise<number> {
    return this.#write(() => {
      // Totals are not counted: they are few, and never the reason to come again at once.
      this.#sourceUsage.removeBefore(limits.scansFinishedBefore, maxRows);
      this.#usage.removeBefore(limits.usageBefore, maxRows);
      let left = maxRows;
      left -= this.#scans.removeBefore(limits.scansFinishedBefore, left);
      left -= this.#answers.removeBefore(limits.answersBefore, left);
      left -= this.#sightings.removeBefore(limits.sightingsBefore, left);
      return maxRows - left;
    });
  }

  insertKey(workspaceId: WorkspaceId, key: port.NewApiKey, by: Author): Promise<ApiKey> {
    return this.#write(() => this.#keys().insert(workspaceId, key, by));
  }

  rotateKey(workspaceId: WorkspaceId, keyId: string, next: port.NextApiKey, by: Author): Promise<ApiKey | null> {
    return this.#writeUrgently(() => this.#keys().rotate(workspaceId, keyId, next, by));
  }

  revokeKey(workspaceId: WorkspaceId, keyId: string, by: Author): Promise<ApiKey | null> {
    return this.#writeUrgently(() => this.#keys().revoke(workspaceId, keyId, by));
  }

  findKey(workspaceId: WorkspaceId, keyId: string): Promise<ApiKey | null> {
    return this.#read(() => this.#keys().find(workspaceId, keyId));
  }

  listKeys(workspaceId: WorkspaceId, page: port.KeyPage): Promise<port.Page<ApiKey>> {
    return this.#read(() => this.#keys().list(workspaceId, page));
  }

  insertWorkspace(workspace: Workspace, firstOperator: port.NewOperator | null, by: Author): Promise<void> {
    return this.#write(() => {
      this.#workspaces().insert(workspace, by);
      if (firstOperator !== null) this.#operators().insert(firstOperator, by);
    });
  }

  changeWorkspace(id: WorkspaceId, change: port.WorkspaceChange, by: Author): Promise<Workspace> {
    return this.#writeUrgently(() => this.#workspaces().change(id, change, by));
  }

  findWorkspace(idOrName: string): Promise<Workspace | null> {
    return this.#read(() => this.#workspaces().find(idOrName));
  }

  listWorkspaces(): Promise<Workspace[]> {
    return this.#read(() => this.#workspaces().list());
  }

  insertOperator(operator: port.NewOperator, by: Author): Promise<Operator> {
    return this.#write(() => this.#operators().insert(operator, by));
  }

  revokeOperator(workspaceId: WorkspaceId, id: string, by: Author): Promise<Operator | null> {
    return this.#writeUrgently(() => this.#operators().revoke(workspaceId, id, by));
  }

  listOperators(workspaceId: WorkspaceId): Promise<Operator[]> {
    return this.#read(() => this.#operators().list(workspaceId));
  }

  findOperator(credential: port.OperatorCredential, now: Date): Promise<Operator | null> {
    return this.#read(() => this.#operators().findBy(credential, now));
  }

  startSession(session: port.NewSession, by: Author): Promise<void> {
    return this.#writeUrgently(() => this.#operators().startSession(session, by));
  }

  endSession(sessionHash: string, by: Author): Promise<boolean> {
    return this.#writeUrgently(() => this.#operators().endSession(sessionHash, by));
  }

  appendEvents(events: readonly AuditEvent[]): Promise<void> {
    const work = () => this.#audit.append(this.#calls.onlyFirstPolls(events));
    return transactPatiently(this.#connection, "immediate", once, work).catch(this.#noteFailure);
  }

  listEvents(workspaceId: WorkspaceId, page: port.AuditPage): Promise<port.Page<AuditEvent>> {
    return this.#read(() => this.#audit.list(workspaceId, page));
  }

  readChain(afterRow: number, limit: number): Promise<AuditRow[]> {
    return this.#read(() => this.#audit.chain(afterRow, limit));
  }

  auditHead(): Promise<AuditHead> {
    return this.#read(() => this.#audit.head());
  }

  auditState(): Promise<AuditState> {
    return this.#read(() => this.#audit.state());
  }

  removeOldEvents(retention: port.AuditRetention, by: Author): Promise<number> {
    return this.#write(() => this.#audit.removeOldest(retention, by));
  }

  noteSources(fingerprints: ReadonlyMap<string, string>, by: Author): Promise<void> {
    return this.#write(() => this.#sources().note(fingerprints, by));
  }

  listCorpora(): Promise<port.Corpus[]> {
    return this.#read(() => this.#corpora().list());
  }

  publishImport(publication: port.Publication, by: Author): Promise<port.PublishOutcome> {
    return this.#write(() => this.#corpora().publish(publication, by));
  }

  removeCorpus(name: string, revision: string, by: Author): Promise<boolean> {
    return this.#writeUrgently(() => this.#corpora().remove(name, revision, by));
  }

  replaceSegments(replacement: port.SegmentReplacement): Promise<boolean> {
    return this.#write(() => this.#corpora().replaceSegments(replacement));
  }

  async forget({ indicatorHash, corpusHash }: port.Forgetting, by: Author): Promise<void> {
    await this.#write(() => {
      this.#corpora().forget(corpusHash, by.at);
      for (const table of [this.#scans, this.#answers, this.#sightings]) table.forget(indicatorHash);
      this.#audit.append([auditEvent(by, "corpus.forgotten", { indicatorHmac: indicatorHash })]);
    });
    emptyLog(this.#connection);
  }

  isForgotten(corpusHash: string): Promise<boolean> {
    return this.#read(() => this.#corpora().isForgotten(corpusHash));
  }

  listForgotten(): Promise<string[]> {
    return this.#read(() => this.#corpora().listForgotten());
  }

  takeSlot(source: string, pace: port.Pace | null, notAfter: Date, now: Date): Promise<Date | null> {
    return this.#writeTogether(() => this.#pace().takeSlot(source, pace, notAfter, now));
  }

  pauseSource(source: string, until: Date): Promise<void> {
    return this.#write(() => this.#pace().pause(source, until));
  }

  lastSourceRuns(): Promise<port.SourceRunRecord[]> {
    return this.#read(() => this.#runs.last());
  }

  overview(workspaceId: WorkspaceId, since: Date): Promise<port.Overview> {
    return this.#read(() => this.#overview().of(workspaceId, since));
  }

  listBudgets(workspaceId: WorkspaceId): Promise<port.KeyBudget[]> {
    return this.#read(() => this.#budgets.ofWorkspace(workspaceId));
  }

  backup(file: string, onProgress: (done: number, total: number) => void): Promise<void> {
    return copyDatabase(this.#connection.name, file, onProgress);
  }

  settleRestored(detail: string, by: Author): Promise<void> {
    return this.#write(() => {
      // A session that was ended after the copy must not come back.
      this.#operators().endAllSessions();
      // Whoever ran these scans does so no more; it is no fault of theirs.
      this.#claims.requeue({ leaseOverAt: endOfTime }, false, by.at);
      this.#audit.append([auditEvent(by, "audit.restored", { detail })]);
    });
  }

  schemaFaults(): Promise<string[]> {
    return this.#read(() => {
      const expected = openSchema(currentVersion);
      try {
        return schemaFaults(this.#connection, expected);
      } finally {
        expected.close();
      }
    });
  }

  close(): void {
    const close = () => this.#connection.close();
    // The last one to close brings the write-ahead log into the database, which may have to grow for it.
    if (this.#reserve?.isFull() === true) this.#reserve.lend(close);
    else close();
  }
}

function databasePath(dataDir: string): string {
  return join(dataDir, fileName);
}

function inspect(connection: Connection): FoundDatabase {
  const version = schemaVersion(connection);
  if (version > currentVersion) return { state: "newer", secretCheck: null };
  if (version === 0) return { state: "unfinished", secretCheck: null };
  const property = connection.prepare<[], { value: string }>("SELECT value FROM property WHERE name = 'secret_check'");
  // The first workspace is the last thing that the set-up writes.
  const workspace = connection.prepare<[], { id: string }>("SELECT id FROM workspace LIMIT 1").get();
  const state = workspace === undefined ? "unfinished" : version < currentVersion ? "older" : "ready";
  return { state, secretCheck: property.get()?.value ?? null };
}
