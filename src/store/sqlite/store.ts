import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ApiKey } from "../../domain/api-key.ts";
import type { AppError } from "../../domain/error.ts";
import type { Claim, ClaimedScan, SourceRun, UnfinishedState } from "../../domain/scan.ts";
import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";
import type * as port from "../store.ts";
import { apiKeyTable } from "./api-key.ts";
import { callHandler } from "./call.ts";
import { corpusTable } from "./corpus.ts";
import { becomeImpatient, type Connection, openConnection, type Patience, transactPatiently } from "./driver.ts";
import { currentVersion, migrate, schemaVersion } from "./migrate.ts";
import { paceTable } from "./pace.ts";
import { scanTable } from "./scan.ts";
import { workspaceTable } from "./workspace.ts";

const fileName = "xpose.db";
/** Commands write for milliseconds; whoever holds the lock for longer is not waited for. */
const patient: Patience = { totalMs: 5_000, pauseMs: 20 };
/** For calls: hits can be served without writing, and a caller that misses is told soon. */
const impatient: Patience = { totalMs: 100, pauseMs: 10 };

/** What a data directory holds: no database, an unfinished or a newer one, one to migrate first, or one to work with. */
export type DatabaseState = "absent" | "unfinished" | "newer" | "older" | "ready";

/** The port on better-sqlite3: one file in the data directory. */
export class SqliteStore implements port.Store {
  readonly #connection: Connection;
  readonly #workspaces: ReturnType<typeof workspaceTable>;
  readonly #keys: ReturnType<typeof apiKeyTable>;
  readonly #scans: ReturnType<typeof scanTable>;
  readonly #corpora: ReturnType<typeof corpusTable>;
  readonly #pace: ReturnType<typeof paceTable>;
  readonly #calls: ReturnType<typeof callHandler>;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.#workspaces = workspaceTable(connection);
    this.#keys = apiKeyTable(connection);
    this.#scans = scanTable(connection);
    this.#corpora = corpusTable(connection);
    this.#pace = paceTable(connection);
    this.#calls = callHandler(connection, this.#scans);
    becomeImpatient(connection);
  }

  /** Creates the database of a new data directory; `secretCheck` ties it to the server secret. */
  static create(dataDir: string, secretCheck: string): SqliteStore {
    const connection = openConnection(databasePath(dataDir), { mustExist: false });
    migrate(connection);
    connection.prepare("INSERT INTO property (name, value) VALUES ('secret_check', ?)").run(secretCheck);
    return new SqliteStore(connection);
  }

  /** The same without a file; it ends with the process. */
  static inMemory(): SqliteStore {
    const connection = openConnection(":memory:", { mustExist: false });
    migrate(connection);
    return new SqliteStore(connection);
  }

  /** Looks at a data directory without changing it. */
  static inspect(dataDir: string): { state: DatabaseState; secretCheck: string | null } {
    if (!existsSync(databasePath(dataDir))) return { state: "absent", secretCheck: null };
    const connection = openConnection(databasePath(dataDir), { mustExist: true });
    try {
      const version = schemaVersion(connection);
      if (version > currentVersion) return { state: "newer", secretCheck: null };
      if (version === 0) return { state: "unfinished", secretCheck: null };
      const property = connection.prepare<[], { value: string }>(
        "SELECT value FROM property WHERE name = 'secret_check'",
      );
      // The first workspace is the last thing that the set-up writes.
      const workspace = connection.prepare<[], { id: string }>("SELECT id FROM workspace LIMIT 1").get();
      const state = workspace === undefined ? "unfinished" : version < currentVersion ? "older" : "ready";
      return { state, secretCheck: property.get()?.value ?? null };
    } finally {
      connection.close();
    }
  }

  /** Opens the database of an initialised data directory, bringing its schema up to date first if it is older. */
  static open(dataDir: string): SqliteStore {
    const connection = openConnection(databasePath(dataDir), { mustExist: true });
    migrate(connection);
    return new SqliteStore(connection);
  }

  #write<Result>(work: () => Result): Promise<Result> {
    return transactPatiently(this.#connection, "immediate", patient, work);
  }

  #read<Result>(work: () => Result): Promise<Result> {
    return transactPatiently(this.#connection, "deferred", patient, work);
  }

  handleCalls(calls: readonly port.Call[], rules: port.CallRules): Promise<port.Reply[]> {
    const work = () => this.#calls.handle(calls, rules, null);
    return transactPatiently(this.#connection, "immediate", impatient, work);
  }

  readCalls(calls: readonly port.Call[], rules: port.CallRules, fault: AppError): Promise<port.Reply[]> {
    return this.#read(() => this.#calls.handle(calls, rules, fault));
  }

  claimScan(request: port.ClaimRequest): Promise<ClaimedScan | null> {
    return this.#write(() => this.#scans.claim(request));
  }

  extendLeases(claims: readonly Claim[], until: Date): Promise<Claim[]> {
    return this.#write(() => this.#scans.extendLeases(claims, until));
  }

  saveRuns(claim: Claim, runs: readonly SourceRun[], nextState: UnfinishedState): Promise<boolean> {
    return this.#write(() => this.#scans.saveRuns(claim, runs, nextState));
  }

  settleScan(settlement: port.Settlement): Promise<boolean> {
    return this.#write(() => this.#scans.settle(settlement));
  }

  requeueScans(
    which: { owner: string } | { leaseOverAt: Date },
    options: { isCounted: boolean; now: Date },
  ): Promise<number> {
    return this.#write(() => this.#scans.requeue(which, options.isCounted, options.now));
  }

  removeExpired(limits: port.RetentionLimits, maxRows: number): Promise<number> {
    return this.#write(() => this.#scans.removeExpired(limits, maxRows));
  }

  insertKey(workspaceId: WorkspaceId, key: port.NewApiKey): Promise<ApiKey> {
    return this.#write(() => this.#keys.insert(workspaceId, key));
  }

  listKeys(workspaceId: WorkspaceId, page: port.KeyPage): Promise<port.Page<ApiKey>> {
    return this.#read(() => this.#keys.list(workspaceId, page));
  }

  insertWorkspace(workspace: Workspace, firstOperator: port.NewOperator | null): Promise<void> {
    return this.#write(() => {
      this.#workspaces.insert(workspace);
      if (firstOperator !== null) this.#workspaces.insertOperator(firstOperator);
    });
  }

  changeWorkspace(id: WorkspaceId, change: port.WorkspaceChange): Promise<Workspace> {
    return this.#write(() => this.#workspaces.change(id, change));
  }

  findWorkspace(idOrName: string): Promise<Workspace | null> {
    return this.#read(() => this.#workspaces.find(idOrName));
  }

  listWorkspaces(): Promise<Workspace[]> {
    return this.#read(() => this.#workspaces.list());
  }

  listCorpora(): Promise<port.Corpus[]> {
    return this.#read(() => this.#corpora.list());
  }

  publishImport(publication: port.Publication): Promise<"published" | "already_imported"> {
    return this.#write(() => this.#corpora.publish(publication));
  }

  removeCorpus(name: string, revision: string): Promise<boolean> {
    return this.#write(() => this.#corpora.remove(name, revision));
  }

  replaceSegments(replacement: port.SegmentReplacement): Promise<boolean> {
    return this.#write(() => this.#corpora.replaceSegments(replacement));
  }

  forget({ indicatorHash, corpusHash, now }: port.Forgetting): Promise<void> {
    return this.#write(() => {
      this.#corpora.forget(corpusHash, now);
      this.#scans.forget(indicatorHash);
    });
  }

  isForgotten(corpusHash: string): Promise<boolean> {
    return this.#read(() => this.#corpora.isForgotten(corpusHash));
  }

  listForgotten(): Promise<string[]> {
    return this.#read(() => this.#corpora.listForgotten());
  }

  takeSlot(source: string, pace: port.Pace | null, notAfter: Date, now: Date): Promise<Date | null> {
    return this.#write(() => this.#pace.takeSlot(source, pace, notAfter, now));
  }

  pauseSource(source: string, until: Date): Promise<void> {
    return this.#write(() => this.#pace.pause(source, until));
  }

  lastSourceRuns(): Promise<port.SourceRunRecord[]> {
    return this.#read(() => this.#scans.lastRuns());
  }

  close(): void {
    this.#connection.close();
  }
}

function databasePath(dataDir: string): string {
  return join(dataDir, fileName);
}
