import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { Author } from "../../domain/audit.ts";
import type { DatabaseStore } from "../port/database.ts";
import type { Store } from "../port/store.ts";
import { answerTable } from "./answer.ts";
import { apiKeyStore, apiKeyTable } from "./api-key.ts";
import { auditStore, auditTable } from "./audit.ts";
import { subjectTable } from "./audit-subject.ts";
import { budgetTable } from "./budget.ts";
import { bulkStore, bulkTable } from "./bulk.ts";
import { callHandler, callStore } from "./call.ts";
import { callerReader } from "./caller.ts";
import { copyDatabase, faultOf } from "./copy.ts";
import { corpusStore, corpusTable } from "./corpus.ts";
import { databaseStore } from "./database.ts";
import { becomeImpatient, type Connection, openConnection, transact } from "./driver.ts";
import { evidenceTable } from "./evidence.ts";
import { lazily } from "./lazily.ts";
import { currentVersion, migrate, schemaVersion } from "./migrate.ts";
import { operatorStore, operatorTable } from "./operator.ts";
import { overviewReader, overviewStore } from "./overview.ts";
import { paceStore, paceTable } from "./pace.ts";
import { polledTable } from "./polled.ts";
import { readyResultTable } from "./ready-result.ts";
import type { Reserve } from "./reserve.ts";
import { scanTable } from "./scan.ts";
import { scanClaims } from "./scan-claim.ts";
import { scanStore } from "./scan-store.ts";
import { scanSettler } from "./settle-scan.ts";
import { sightingTable } from "./sighting.ts";
import { sourceFingerprintTable } from "./source-fingerprint.ts";
import { sourceRunTable } from "./source-run.ts";
import { sourceUsageTable } from "./source-usage.ts";
import { transactionsOn } from "./transactions.ts";
import { usageTable } from "./usage.ts";
import { watchStore } from "./watch-store.ts";
import { webhookStore, webhookTable } from "./webhook.ts";
import { workspaceStore, workspaceTable } from "./workspace.ts";

const fileName = "xpose.db";

/** The state of a data directory: without a database, half initialised, newer than this program, older, or ready. */
export type DatabaseState = "absent" | "unfinished" | "newer" | "older" | "ready";

/** `secretCheck` is the value passed to `create`; null when it cannot be read. */
export type FoundDatabase = { readonly state: DatabaseState; readonly secretCheck: string | null };

const absent: FoundDatabase = { state: "absent", secretCheck: null };

type OpenOptions = {
  readonly isAlone?: boolean;
  readonly isTemporary?: boolean;
  readonly reserve?: Reserve | null;
  readonly now?: Date;
};

/** The port on better-sqlite3: one file in the data directory. */
export const SqliteStore = { create, inMemory, inspect, copyFrom, copyClosed, versionIn, faultIn, open };

/**
 * Creates the database of a new data directory. `secretCheck` ties the database to the server secret, and `auditKey`
 * ties the audit trail to it.
 */
function create(dataDir: string, secretCheck: string, auditKey: Uint8Array, reserve: Reserve | null = null): Store {
  const connection = openConnection(databasePath(dataDir), { mustExist: false });
  migrate(connection);
  connection.prepare("INSERT INTO property (name, value) VALUES ('secret_check', ?)").run(secretCheck);
  return storeOn(connection, auditKey, reserve);
}

/** A store without a file. It ends with the process. */
function inMemory(auditKey: Uint8Array): Store {
  const connection = openConnection(":memory:", { mustExist: false });
  migrate(connection);
  return storeOn(connection, auditKey, null);
}

/** Inspects a data directory without changing it. */
function inspect(dataDir: string): FoundDatabase {
  if (!existsSync(databasePath(dataDir))) return absent;
  const connection = openConnection(databasePath(dataDir), { mustExist: true });
  try {
    return examine(connection);
  } finally {
    connection.close();
  }
}

/** Copies the database of a data directory of any version; see `DatabaseStore.backup`. */
function copyFrom(dataDir: string): Pick<DatabaseStore, "backup"> {
  return { backup: (file, onProgress) => copyDatabase(databasePath(dataDir), file, onProgress) };
}

/** Copies a database that is not in use from one folder to another. */
function copyClosed(from: string, to: string): void {
  copyFileSync(databasePath(from), databasePath(to));
}

/** The schema version of a database that is not in use. */
function versionIn(folder: string): number {
  const connection = openConnection(databasePath(folder), { mustExist: true, isAlone: true });
  try {
    return schemaVersion(connection);
  } finally {
    connection.close();
  }
}

/** Reads the database of a folder completely and describes its first fault; null when it has none. */
function faultIn(folder: string): string | null {
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
 * Opens the database of an initialised data directory, and upgrades its schema first if it is older. `admit` gets the
 * found state before anything changes. It returns the keys to use, or throws. With `isAlone` no other process may open
 * the database at the same time. With `isTemporary` it is a copy for reading, whose audit trail is not continued.
 * `upgradedFrom` is the previous schema version; null when it was current.
 */
function open<Keys extends { readonly audit: Uint8Array }>(
  dataDir: string,
  admit: (found: FoundDatabase) => Keys,
  { isAlone = false, isTemporary = false, reserve = null, now = new Date() }: OpenOptions = {},
): { store: Store; keys: Keys; upgradedFrom: number | null } {
  if (!existsSync(databasePath(dataDir))) admit(absent);
  const connection = openConnection(databasePath(dataDir), { mustExist: true, isAlone });
  try {
    const keys = admit(examine(connection));
    const version = schemaVersion(connection);
    migrate(connection);
    const store = storeOn(connection, keys.audit, reserve);
    if (!isTemporary) settleUpgrade(connection, keys.audit, now);
    return { store, keys, upgradedFrom: version < currentVersion ? version : null };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** For an upgrade from a schema whose audit events hold no digests of keys, operators and workspaces. */
function settleUpgrade(connection: Connection, auditKey: Uint8Array, now: Date): void {
  const due = connection.prepare("SELECT 1 FROM property WHERE name = 'audit_baseline_due'");
  if (due.get() === undefined) return;
  const by: Author = { at: now, actor: "cli", ip: null, outcome: "ok", correlationId: null };
  transact(connection, "immediate", () => {
    // Another process may have done this already.
    const dropped = connection.prepare("DELETE FROM property WHERE name = 'audit_baseline_due'").run();
    if (dropped.changes === 1) auditTable(connection, auditKey, subjectTable(connection)).writeBaseline(by);
  });
}

/** The port on better-sqlite3: all nouns on the transactions and tables of one connection. */
function storeOn(connection: Connection, auditKey: Uint8Array, reserve: Reserve | null): Store {
  const transactions = transactionsOn(connection, reserve);
  const subjects = subjectTable(connection);
  const audit = auditTable(connection, auditKey, subjects);
  const [budgets, usage, sourceUsage] = [budgetTable(connection), usageTable(connection), sourceUsageTable(connection)];
  const [scans, runs, answers] = [scanTable(connection), sourceRunTable(connection), answerTable(connection)];
  const [sightings, evidence] = [sightingTable(connection), evidenceTable(connection)];
  const [ready, polled] = [readyResultTable(connection), polledTable(connection)];
  const bulks = bulkTable(connection);
  const claims = scanClaims(connection, scans, runs, answers);
  const settler = scanSettler({ scans, runs, answers, sightings, evidence, ready, sourceUsage });
  const callers = callerReader(connection);
  const tables = { callers, scans, bulks, claims, runs, answers, evidence, ready, polled, budgets, usage, audit };
  const calls = callHandler(connection, tables);
  const keys = lazily(() => apiKeyTable(connection, audit, subjects, budgets));
  const workspaces = lazily(() => workspaceTable(connection, audit, subjects));
  const operators = lazily(() => operatorTable(connection, audit, subjects));
  const corpora = lazily(() => corpusTable(connection, audit));
  const overview = lazily(() => overviewReader(connection, usage, sourceUsage));
  const fingerprints = lazily(() => sourceFingerprintTable(connection, audit));
  const pace = lazily(() => paceTable(connection));
  const webhooks = lazily(() => webhookTable(connection));
  const { forget, ...watch } = watchStore(connection, transactions, { scans, runs, evidence, sightings, audit });
  becomeImpatient(connection);

  return {
    ...callStore(transactions, calls, audit),
    ...bulkStore(transactions, bulks),
    ...scanStore(transactions, { claims, settler, scans, bulks, runs, answers, sightings, usage, sourceUsage }),
    ...apiKeyStore(transactions, keys),
    ...workspaceStore(transactions, workspaces, operators),
    ...operatorStore(transactions, operators),
    ...auditStore(transactions, audit, calls, fingerprints),
    ...corpusStore(connection, transactions, corpora, [scans, answers, sightings, bulks, { forget }], audit),
    ...paceStore(transactions, pace),
    ...watch,
    ...webhookStore(transactions, webhooks),
    ...overviewStore(transactions, overview, budgets),
    ...databaseStore(connection, transactions, reserve, { operators, claims, audit }),
  };
}

function databasePath(dataDir: string): string {
  return join(dataDir, fileName);
}

function examine(connection: Connection): FoundDatabase {
  const version = schemaVersion(connection);
  if (version > currentVersion) return { state: "newer", secretCheck: null };
  if (version === 0) return { state: "unfinished", secretCheck: null };
  const property = connection.prepare<[], { value: string }>("SELECT value FROM property WHERE name = 'secret_check'");
  // The set-up writes the first workspace as its last step.
  const workspace = connection.prepare<[], { id: string }>("SELECT id FROM workspace LIMIT 1").get();
  const state = workspace === undefined ? "unfinished" : version < currentVersion ? "older" : "ready";
  return { state, secretCheck: property.get()?.value ?? null };
}
