import { type AuditSubject, type SubjectRow, subjectDigest } from "../../domain/audit.ts";
import type { Connection } from "./driver.ts";
import { lazily } from "./lazily.ts";

/** The kinds of rows that the audit trail protects, with their tables. */
const tables = { key: "api_key", operator: "operator", workspace: "workspace" } as const;
export type SubjectKind = keyof typeof tables;

const kinds = Object.keys(tables) as SubjectKind[];

/** Columns that change without an event: when a key was used, and which corpora a workspace sees. */
export const unwatched: readonly string[] = ["last_used_at", "corpora_revision"];

/**
 * Digests of keys, operators and workspaces for the audit trail, over all watched columns. A change of such a row
 * writes the new digest into its event, in the same transaction.
 */
export function subjectTable(connection: Connection) {
  const start = lazily(() => connection.prepare<[], AuditSubject>("SELECT id, digest FROM audit_subject"));
  const saveStart = lazily(() => connection.prepare("INSERT OR REPLACE INTO audit_subject (id, digest) VALUES (?, ?)"));

  function subjectOf(kind: SubjectKind, row: SubjectRow): AuditSubject {
    const id = `${kind}:${row["id"]}`;
    const watched = Object.entries(row).filter(([column]) => !unwatched.includes(column));
    return { id, digest: subjectDigest(id, Object.fromEntries(watched)) };
  }

  return {
    /** The rows after the change, read in its transaction. */
    of(kind: SubjectKind, ids: readonly string[]): AuditSubject[] {
      // All columns, so that later columns are included.
      const find = connection.prepare<[string], SubjectRow>(`SELECT * FROM ${tables[kind]} WHERE id = ?`);
      return ids.flatMap((id) => find.all(id)).map((row) => subjectOf(kind, row));
    },

    /** Digests of all current rows, by id. */
    all(): Map<string, string> {
      const found = new Map<string, string>();
      for (const kind of kinds) {
        const rows = connection.prepare<[], SubjectRow>(`SELECT * FROM ${tables[kind]}`);
        for (const row of rows.iterate()) {
          const { id, digest } = subjectOf(kind, row);
          found.set(id, digest);
        }
      }
      return found;
    },

    /** Digests at the start of the trail, by id. */
    atStart: (): Map<string, string> =>
      new Map(
        start()
          .all()
          .map(({ id, digest }) => [id, digest]),
      ),

    saveAtStart(subjects: Iterable<AuditSubject>): void {
      for (const { id, digest } of subjects) saveStart().run(id, digest);
    },
  };
}
