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

/** Done by somebody who can write all files of a data directory and has no secret. */
export type Tampering = {
  readonly what: string;
  /** Changes the database. */
  readonly toDatabase: (connection: Database) => void;
  /** True when they put the older copy of the database in the place of the present one first. */
  readonly isOlder: boolean;
  /** Changes the kept head. */
  readonly toHead: keyof typeof headChanges;
  /** Events that the service writes afterwards. */
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
  // A lost head is found whatever else was done.
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
 * Checks a copy, at `folder`, of a directory that `makeAuditedDirectory` made, after it was tampered with
 * and the service went on; null when the tampering changed nothing. `source` holds an older copy of its database beside it.
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
    // The service may fail after that; the check may not.
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

/** Does it to the files of a directory whose database is closed. Returns false when nothing is different afterwards. */
function tamper({ toDatabase, toHead }: Tampering, database: string, headFile: string): boolean {
  const connection = new Database(database);
  // Triggers and references stop nobody who can write the file.
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

/** A number that stands for a place, whatever the size of what it is a place in. */
const place = fc.nat({ max: 0xffffff });

/** Changes of the events as a list, written back in the right form. */
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
    const [one, other] = [at % events.length, (at >> 8) % events.length];
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

/** One bit of any column of any row, also where that is no text any more. */
const byteChanges = watched.map((table) =>
  fc
    .record({ row: place, column: place, at: place, bit: fc.nat({ max: 7 }) })
    .map((where): Change => ({ what: `a bit of ${table}`, apply: (connection) => flipBit(connection, table, where) })),
);

/** The trail says nothing of these. */
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
    // Two rows of one key: the database refuses it, so nothing was changed.
  }
}

function flipped(bytes: Buffer, type: string, at: number, bit: number): number | Buffer {
  if (type === "INTEGER") return Number(bytes.toString()) ^ (1 << bit);
  const changed = Buffer.from(bytes.length > 0 ? bytes : "x");
  const index = at % changed.length;
  changed[index] = (changed[index] ?? 0) ^ (1 << bit);
  return changed;
}

/** Rights that change behind the trail. */
const rowChanges = [
  "UPDATE api_key SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
  "UPDATE api_key SET revoked_at = 1 WHERE revoked_at IS NULL",
  "UPDATE api_key SET expires_at = 99999999999999",
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
  // The same statement, and the upgrade is made to take the rows as they are.
  `UPDATE workspace SET plan = 'enterprise'; INSERT INTO property VALUES ('audit_baseline_due', '1')`,
  `UPDATE api_key SET revoked_at = NULL; DELETE FROM audit_start; DELETE FROM audit_subject;
     INSERT INTO property VALUES ('audit_baseline_due', '1')`,
].map((sql) => fc.constant<Change>({ what: sql.replaceAll(/\s+/g, " "), apply: (connection) => connection.exec(sql) }));

/** Where the trail begins. */
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

/** The trail is made to look as if it began with event 1. */
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
