import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import fc from "fast-check";
import { keepHead, readKeptHead } from "../../src/access/audit-head.ts";
import { type AuditCheck, verifyAudit } from "../../src/access/verify-audit.ts";
import { auditEvent } from "../../src/domain/audit.ts";
import { headFileOf, makeAuditedDirectory, openAudited } from "./audited-directory.ts";
import { rewriteTrail, type StoredEvent } from "./rewritten-trail.ts";
import { testAuditKey, testAuthor } from "./test-author.ts";

/** The changes of an attacker who can write all files of a data directory but lacks the secret. */
export type Tampering = {
  readonly what: string;
  /** Changes the database. */
  readonly toDatabase: (connection: Database) => void;
  /** True when the attacker first replaces the database by its older copy. */
  readonly isOlder: boolean;
  /** Changes the kept head. */
  readonly toHead: keyof typeof headChanges;
  /** Number of events that the service writes afterwards. */
  readonly laterCount: number;
};

const headChanges = {
  nothing: () => undefined,
  missing: (file: string) => rmSync(file),
  empty: (file: string) => writeFileSync(file, ""),
  nonsense: (file: string) => writeFileSync(file, "1:nonsense\n"),
  unreadable(file: string) {
    rmSync(file);
    mkdirSync(file);
  },
} as const;

/** The tables that the check covers. */
const watched = ["audit", "audit_holder", "audit_start", "audit_subject", "api_key", "operator", "workspace"];

/** Any tampering; `isShortened` says that the trail does not begin with event 1. */
export function anyTampering(isShortened: boolean): fc.Arbitrary<Tampering> {
  const changes = [
    ...trailChanges,
    ...byteChanges,
    ...rowChanges,
    ...(isShortened ? [...startChanges, ...firstOnesBack] : []),
  ];
  const toDatabase = fc.oneof(...changes);
  // A lost head is detected, whatever else was changed.
  const toHead = fc.oneof({ weight: 3, arbitrary: fc.constant("nothing" as const) }, fc.constantFrom(...headNames));
  const laterCount = fc.constantFrom(0, 0, 1, 60);
  return fc
    .oneof(
      fc.record({ change: toDatabase, isOlder: fc.constant(false), toHead, laterCount }),
      fc.record({ change: fc.constant(untouched), isOlder: fc.constant(true), toHead, laterCount }),
      fc.record({
        change: fc.constant(untouched),
        isOlder: fc.constant(false),
        toHead: fc.constantFrom(...headNames.filter((name) => name !== "nothing")),
        laterCount,
      }),
    )
    .map(({ change, isOlder, toHead: head, laterCount: later }) => ({
      what: `${isOlder ? "older copy" : change.what}; head: ${head}; ${later} events later`,
      toDatabase: change.apply,
      isOlder,
      toHead: head,
      laterCount: later,
    }));
}

/**
 * Copies the directory `source`, made by `makeAuditedDirectory`, to `folder`, tampers with it, lets the service go on,
 * and checks it; null when the tampering changed nothing. `source` also holds an older copy of its database.
 */
export async function checkTampered(
  source: string,
  folder: string,
  tampering: Tampering | null,
): Promise<AuditCheck | null> {
  const [database, headFile] = [join(folder, "xpose.db"), headFileOf(folder)];
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  copyFileSync(join(source, tampering?.isOlder === true ? olderName : "xpose.db"), database);
  copyFileSync(headFileOf(source), headFile);
  if (tampering !== null && !tamper(tampering, database, headFile) && !tampering.isOlder) return null;
  const store = openAudited(folder);
  try {
    const later = Array.from({ length: tampering?.laterCount ?? 0 }, () => auditEvent(testAuthor, "source.added"));
    // The service may fail after tampering, but the check must work.
    await store.appendEvents(later).catch(() => undefined);
    await keepHead(store, headFile).catch(() => undefined);
    return await verifyAudit(store, testAuditKey, { kept: readKeptHead(headFile), given: [] });
  } finally {
    store.close();
  }
}

/** Makes a directory for `checkTampered`. */
export async function makeTamperable(source: string, isShortened: boolean): Promise<void> {
  mkdirSync(source);
  const atHalf = () => copyFileSync(join(source, "xpose.db"), join(source, olderName));
  await makeAuditedDirectory(source, { isShortened, atHalf });
}

const olderName = "older.db";

/** Applies the changes to the files of a directory with a closed database. False when nothing has changed. */
function tamper({ toDatabase, toHead }: Tampering, database: string, headFile: string): boolean {
  const connection = new Database(database);
  // Triggers and foreign keys do not stop an attacker who can write the file.
  connection.pragma("foreign_keys = OFF");
  const before = dump(connection);
  const triggers = connection.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
  for (const { name } of triggers.all()) connection.exec(`DROP TRIGGER ${name}`);
  toDatabase(connection);
  const isChanged = dump(connection) !== before;
  connection.close();
  headChanges[toHead](headFile);
  return isChanged || toHead !== "nothing";
}

function dump(connection: Database): string {
  return JSON.stringify(
    watched.map((table) => {
      const columns = connection.pragma(`table_info(${table})`) as { name: string }[];
      const list = columns.map(({ name }) => `quote(CAST(${name} AS BLOB)) AS ${name}`).join(", ");
      return connection.prepare(`SELECT ${list} FROM ${table} ORDER BY 1, 2`).all();
    }),
  );
}

type Change = { readonly what: string; readonly apply: (connection: Database) => void };

const headNames = Object.keys(headChanges) as (keyof typeof headChanges)[];
const untouched: Change = { what: "nothing", apply: () => undefined };

/** A number for a random position, scaled to the size of the target. */
const place = fc.nat({ max: 0xffffff });

/** Changes to the list of events, written back in the right form. */
const trailChanges = [
  ofEvents("erased", () => []),
  ofEvents("tail cut", (events, at) => events.slice(0, at % events.length)),
  ofEvents("front cut", (events, at) => events.slice(1 + (at % events.length))),
  ofEvents("one event deleted", (events, at) => events.filter((_, index) => index !== at % events.length)),
  ofEvents("one event deleted, the others moved up", (events, at) =>
    events.filter((_, index) => index !== at % events.length).map((event, index) => ({ ...event, row: index + 1 })),
  ),
  ofEvents("a field edited", (events, at) =>
    events.map((event, index) => (index === at % events.length ? edited(event, at) : event)),
  ),
  ofEvents("what an event says of rights edited", (events, at) => {
    const [event, ...others] = events.filter(({ subjects }) => subjects !== null);
    const chosen = [event, ...others][at % (others.length + 1)];
    return events.map((one) => (one === chosen ? { ...one, subjects: [["key:x", "0".repeat(64)]] } : one));
  }),
  ofEvents("two events change places", (events, at) => {
    const one = at % events.length;
    // Never the same place: events that stay where they were are a valid trail, stored in another form.
    const other = (one + 1 + ((at >> 8) % (events.length - 1))) % events.length;
    const rows: Record<number, number> = { [one]: events[other]?.row ?? 0, [other]: events[one]?.row ?? 0 };
    return events.map((event, index) => ({ ...event, row: rows[index] ?? event.row })).sort((a, b) => a.row - b.row);
  }),
  ofEvents("an event appended", (events, at) => {
    const { row = 0 } = events.at(-1) ?? {};
    return [
      ...events,
      ...events
        .slice(at % events.length)
        .slice(0, 1)
        .map((event) => ({ ...event, row: row + 1 })),
    ];
  }),
  ofEvents("an event put in front", (events, at) => {
    const { row = 0 } = events[0] ?? {};
    return [
      ...events
        .slice(at % events.length)
        .slice(0, 1)
        .map((event) => ({ ...event, row: row - 1 })),
      ...events,
    ];
  }),
];

function ofEvents(what: string, change: (events: StoredEvent[], at: number) => StoredEvent[]): fc.Arbitrary<Change> {
  return place.map((at) => ({ what, apply: (connection) => rewriteTrail(connection, (events) => change(events, at)) }));
}

function edited(event: StoredEvent, at: number): StoredEvent {
  const names = Object.keys(event.fields);
  const name = names[(at >> 8) % names.length] ?? "at";
  const value = event.fields[name] ?? null;
  const isNumber = typeof value === "number" || ["at", "count"].includes(name);
  return { ...event, fields: { ...event.fields, [name]: isNumber ? Number(value ?? 0) + 1 : `${value ?? ""}x` } };
}

/** Flips one bit of any column of any row, even if the result is not valid text. */
const byteChanges = watched.map((table) =>
  fc
    .record({ row: place, column: place, at: place, bit: fc.nat({ max: 7 }) })
    .map((where): Change => ({ what: `a bit of ${table}`, apply: (connection) => flipBit(connection, table, where) })),
);

/** Columns that the trail does not cover. */
const untold = ["last_used_at", "corpora_revision"];

type Column = { name: string; type: string; pk: number };
type Place = { readonly row: number; readonly column: number; readonly at: number; readonly bit: number };

function flipBit(connection: Database, table: string, { row, column, at, bit }: Place): void {
  const columns = connection.pragma(`table_info(${table})`) as Column[];
  const keyNames = columns.filter(({ pk }) => pk > 0).map(({ name }) => name);
  const changeable = columns.filter(
    ({ name }) => !untold.includes(name) && !(table === "audit_start" && name === "id"),
  );
  const { name = "", type = "" } = changeable[column % changeable.length] ?? {};
  const rows = connection.prepare<[], Record<string, string | number>>(`SELECT ${keyNames.join(", ")} FROM ${table}`);
  const keys = rows.all().map((values) => Object.values(values));
  const key = keys[row % Math.max(1, keys.length)];
  if (key === undefined) return;
  const where = keyNames.map((one) => `${one} = ?`).join(" AND ");
  const read = connection.prepare<(string | number)[], { bytes: Buffer | null }>(
    `SELECT CAST(${name} AS BLOB) AS bytes FROM ${table} WHERE ${where}`,
  );
  const changed = flipped(read.get(...key)?.bytes ?? Buffer.from("1"), type, at, bit);
  try {
    connection.prepare(`UPDATE ${table} SET ${name} = CAST(? AS ${type}) WHERE ${where}`).run(changed, ...key);
  } catch {
    // Two rows with the same key: the database refuses this, so nothing was changed.
  }
}

function flipped(bytes: Buffer, type: string, at: number, bit: number): number | Buffer {
  if (type === "INTEGER") return Number(bytes.toString()) ^ (1 << bit);
  const changed = Buffer.from(bytes.length > 0 ? bytes : "x");
  const index = at % changed.length;
  changed[index] = (changed[index] ?? 0) ^ (1 << bit);
  return changed;
}

/** Changes of access rights without an event. */
const rowChanges = [
  "UPDATE api_key SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
  "UPDATE api_key SET revoked_at = 1 WHERE revoked_at IS NULL",
  "UPDATE api_key SET expires_at = 99999999999999",
  "UPDATE api_key SET scopes = 'enrich,read,watch'",
  "UPDATE api_key SET scopes = NULL",
  "UPDATE api_key SET allowed_ips = '0.0.0.0/0'",
  "UPDATE api_key SET workspace_id = (SELECT max(id) FROM workspace)",
  "UPDATE api_key SET hash = hash || 'x' WHERE rotated_from IS NOT NULL",
  "DELETE FROM api_key WHERE revoked_at IS NOT NULL",
  `INSERT INTO api_key (id, workspace_id, name, folded_name, prefix, hash, created_at, created_by)
     SELECT 'mine', id, 'mine', 'mine', '0000', 'mine', 1, 'cli' FROM workspace LIMIT 1`,
  "UPDATE workspace SET plan = 'enterprise'",
  "UPDATE workspace SET disabled_at = NULL",
  "UPDATE workspace SET name = name || 'x'",
  "INSERT INTO workspace VALUES ('mine', 'mine', 'mine', 'team', NULL, '')",
  "UPDATE operator SET role = 'admin' WHERE role = 'viewer'",
  "UPDATE operator SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
  "UPDATE operator SET token_hash = token_hash || 'x'",
  "DELETE FROM operator WHERE role = 'viewer'",
  "INSERT INTO operator SELECT 'mine', id, 'mine', 'admin', 'mine', 1, NULL FROM workspace LIMIT 1",
  // The same kind of change, plus a faked pending upgrade, which would take the rows as the baseline.
  `UPDATE workspace SET plan = 'enterprise'; INSERT INTO property VALUES ('audit_baseline_due', '1')`,
  `UPDATE api_key SET revoked_at = NULL; DELETE FROM audit_start; DELETE FROM audit_subject;
     INSERT INTO property VALUES ('audit_baseline_due', '1')`,
].map((sql) => fc.constant<Change>({ what: sql.replaceAll(/\s+/g, " "), apply: (connection) => connection.exec(sql) }));

/** Changes to the start of the trail. */
const startChanges = [
  "DELETE FROM audit_start",
  `UPDATE audit_start SET last_event = (SELECT max(last_event) FROM audit WHERE first_event < (SELECT max(first_event) FROM audit)),
     last_mac = (SELECT last_mac FROM audit ORDER BY first_event DESC LIMIT 1 OFFSET 1);
     DELETE FROM audit WHERE last_event <= (SELECT last_event FROM audit_start)`,
  "DELETE FROM audit_subject",
  "DELETE FROM audit_subject WHERE id = (SELECT max(id) FROM audit_subject)",
  "INSERT INTO audit_subject VALUES ('key:mine', 'mine')",
  "UPDATE audit_subject SET digest = (SELECT max(digest) FROM audit_subject)",
].map((sql) => fc.constant<Change>({ what: sql.replaceAll(/\s+/g, " "), apply: (connection) => connection.exec(sql) }));

/** Makes the trail look as if it began with event 1. */
const firstOnesBack = [
  fc.constant<Change>({
    what: "the start reset and the events numbered from 1",
    apply(connection) {
      connection.exec(
        `UPDATE audit_start SET last_event = 0, last_mac = '${"0".repeat(64)}'; DELETE FROM audit_subject`,
      );
      rewriteTrail(connection, (events) => events.map((event, index) => ({ ...event, row: index + 1 })));
    },
  }),
];
