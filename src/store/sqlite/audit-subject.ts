import { type AuditSubject, type SubjectRow, subjectDigest } from "../../domain/audit.ts";
import type { Connection } from "./driver.ts";
import { lazily } from "./lazily.ts";

/** Whose rights the audit trail vouches for, and the table of each. */
const tables = { key: "api_key", operator: "operator", workspace: "workspace" } as const;
export type SubjectKind = keyof typeof tables;

const kinds = Object.keys(tables) as SubjectKind[];

/** Columns that change without an event: when a key was used, and which corpora a workspace sees. */
export const unwatched: readonly string[] = ["last_used_at", "corpora_revision"];

/**
 * Keys, operators and workspaces as the audit trail knows them: by a digest of all columns that an event tells of. What
 * changes one of these rows writes its digest into the event, in the same transaction.
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
    /** As they stand now, in the transaction that changed them. */
    of(kind: SubjectKind, ids: readonly string[]): AuditSubject[] {
      // All columns, so that a later one counts too.
      const find = connection.prepare<[string], SubjectRow>(`SELECT * FROM ${tables[kind]} WHERE id = ?`);
      return ids.flatMap((id) => find.all(id)).map((row) => subjectOf(kind, row));
    },

    /** All that there are, by id. */
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

    /** As they stood at the start of the trail, by id. */
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
