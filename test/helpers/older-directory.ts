import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { type AuditHead, chainedMac, emptyHead, eventText, headText } from "../../src/domain/audit.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import { openSchema } from "../../src/store/sqlite/migrate.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { auditEvents } from "./audit-events.ts";

type Column = { name: string };

/** Converts an unused data directory to an older schema, in the form that the program of that time wrote. */
export async function makeDirectoryOlder(dataDir: string, version: number): Promise<void> {
  const [present, older] = [join(dataDir, "xpose.db"), join(dataDir, "older.db")];
  const { audit: auditKey } = deriveKeys(Buffer.from(readFileSync(join(dataDir, "secret.key"), "utf8").trim(), "hex"));
  const { store } = SqliteStore.open(dataDir, () => ({ audit: auditKey }));
  const events = await auditEvents(store);
  store.close();

  const connection = new Database(older);
  connection.pragma("journal_mode = WAL");
  const schema = openSchema(version);
  const statements = schema.prepare<[], { sql: string | null; type: string; name: string }>(
    "SELECT sql, type, name FROM sqlite_schema ORDER BY rowid",
  );
  for (const { sql } of statements.all()) if (sql !== null) connection.exec(sql);
  connection.prepare("ATTACH ? AS present").run(present);
  for (const { name } of statements.all().filter(({ type, name }) => type === "table" && !name.startsWith("audit"))) {
    const columns = (connection.pragma(`table_info(${name})`) as Column[]).map((column) => column.name).join(", ");
    connection.exec(`INSERT INTO ${name} (${columns}) SELECT ${columns} FROM present.${name}`);
  }
  connection.exec("DETACH present");
  const insert = connection.prepare("INSERT INTO audit VALUES (?, ?, ?, ?)");
  const insertHolder = connection.prepare("INSERT INTO audit_holder VALUES (?, ?)");
  let head: AuditHead = emptyHead;
  for (const { row: _row, mac: _mac, ...event } of events) {
    const text = eventText({ ...event, subjects: null });
    head = { row: head.row + 1, mac: chainedMac(auditKey, head, text) };
    insert.run(head.row, head.row, head.mac, `${head.mac} 0 ${text}\n`);
    for (const holder of [event.workspaceId, event.keyId]) if (holder !== null) insertHolder.run(holder, head.row);
  }
  connection.pragma(`user_version = ${version}`);
  connection.close();
  schema.close();
  for (const ending of ["", "-wal", "-shm"]) rmSync(present + ending, { force: true });
  renameSync(older, present);
  writeFileSync(join(dataDir, "audit.head"), `${headText(head)}\n`);
}
