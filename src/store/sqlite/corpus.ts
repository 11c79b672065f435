import { type Author, auditEvent } from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Corpus, CorpusImport, Publication } from "../store.ts";
import type { auditTable } from "./audit.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./workspace.ts";

type CorpusRow = { name: string; scope: WorkspaceId | null; confidence: number; origin: string; revision: string };
type ImportRow = {
  id: string;
  corpus: string;
  file_name: string;
  sha256: string;
  format: string;
  record_count: number;
  imported_at: number;
  segment_file: string;
};

export function corpusTable(connection: Connection, audit: Pick<ReturnType<typeof auditTable>, "append">) {
  const all = connection.prepare<[], CorpusRow>(
    "SELECT name, scope, confidence, origin, revision FROM corpus ORDER BY name",
  );
  const find = connection.prepare<[string], CorpusRow>(
    "SELECT name, scope, confidence, origin, revision FROM corpus WHERE name = ?",
  );
  const imports = connection.prepare<[], ImportRow>("SELECT * FROM corpus_import ORDER BY imported_at, id");
  const insert = connection.prepare(
    "INSERT INTO corpus (name, scope, confidence, origin, revision) VALUES (?, ?, ?, ?, ?)",
  );
  const update = connection.prepare("UPDATE corpus SET confidence = ?, origin = ?, revision = ? WHERE name = ?");
  const remove = connection.prepare("DELETE FROM corpus WHERE name = ?");
  const sameBytes = connection.prepare<[string, string], { id: string }>(
    "SELECT id FROM corpus_import WHERE corpus = ? AND sha256 = ?",
  );
  const insertImport = connection.prepare(
    `INSERT INTO corpus_import (id, corpus, file_name, sha256, format, record_count, imported_at, segment_file)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const touchAll = connection.prepare("UPDATE workspace SET corpora_revision = ?");
  const touchOne = connection.prepare("UPDATE workspace SET corpora_revision = ? WHERE id = ?");

  function touch(scope: WorkspaceId | null, revision: string): void {
    if (scope === null) touchAll.run(revision);
    else touchOne.run(revision, scope);
  }

  return {
    list(): Corpus[] {
      const rows = imports.all();
      return all.all().map((row) => ({
        ...row,
        imports: rows.filter((entry) => entry.corpus === row.name).map(toImport),
      }));
    },

    publish(publication: Publication, by: Author): "published" | "already_imported" {
      const { name, scope, confidence, origin, revision } = publication;
      const existing = find.get(name);
      if (existing !== undefined && existing.scope !== scope) {
        throw new AppError("conflict", "The corpus of that name has another scope");
      }
      const newConfidence = existing === undefined || confidence.isGiven ? confidence.value : existing.confidence;
      const newOrigin = existing === undefined || origin.isGiven ? origin.value : existing.origin;
      const isKnown = sameBytes.get(name, publication.import.sha256) !== undefined;
      const hasChanged = !isKnown || newConfidence !== existing?.confidence || newOrigin !== existing.origin;
      if (existing === undefined) insert.run(name, scope, newConfidence, newOrigin, revision);
      else if (hasChanged) update.run(newConfidence, newOrigin, revision, name);
      if (!isKnown) {
        const { id, fileName, sha256, format, recordCount, importedAt, segmentFile } = publication.import;
        insertImport.run(id, name, fileName, sha256, format, recordCount, importedAt.getTime(), segmentFile);
      }
      if (hasChanged) touch(scope, revision);
      audit.append([auditEvent(by, "corpus.imported", { workspaceId: scope, detail: name })]);
      return isKnown ? "already_imported" : "published";
    },

    remove(name: string, revision: string, by: Author): boolean {
      const existing = find.get(name);
      if (existing === undefined) return false;
      remove.run(name);
      touch(existing.scope, revision);
      audit.append([auditEvent(by, "corpus.removed", { workspaceId: existing.scope, detail: name })]);
      return true;
    },
  };
}

function toImport(row: ImportRow): CorpusImport {
  return {
    id: row.id,
    fileName: row.file_name,
    sha256: row.sha256,
    format: row.format,
    recordCount: row.record_count,
    importedAt: toDate(row.imported_at),
    segmentFile: row.segment_file,
  };
}
