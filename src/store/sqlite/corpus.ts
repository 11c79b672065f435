import { type Author, auditEvent } from "../../domain/audit.ts";
import type { Corpus, CorpusImport, CorpusSegment } from "../../domain/corpus.ts";
import { publishCorpus } from "../../domain/publish-corpus.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { CorpusStore, Publication, PublishOutcome, SegmentReplacement } from "../port/corpus.ts";
import type { auditTable } from "./audit.ts";
import { type Connection, emptyLog } from "./driver.ts";
import { toDate } from "./time.ts";
import type { Transactions } from "./transactions.ts";

type CorpusRow = { name: string; scope: WorkspaceId | null; confidence: number; origin: string; revision: string };
type ImportRow = {
  id: string;
  corpus: string;
  file_name: string;
  sha256: string;
  content_sha256: string | null;
  rules: number;
  format: string;
  importer: string;
  options: string;
  skipped: string;
  read_count: number;
  record_count: number;
  imported_at: number;
  duration_ms: number;
};
type SegmentRow = {
  file: string;
  address_count: number;
  record_count: number;
  template_count: number;
  size_bytes: number;
};

export function corpusTable(connection: Connection, audit: Pick<ReturnType<typeof auditTable>, "append">) {
  const all = connection.prepare<[], CorpusRow>(
    "SELECT name, scope, confidence, origin, revision FROM corpus ORDER BY name",
  );
  const find = connection.prepare<[string], CorpusRow>(
    "SELECT name, scope, confidence, origin, revision FROM corpus WHERE name = ?",
  );
  const imports = connection.prepare<[], ImportRow>("SELECT * FROM corpus_import ORDER BY imported_at, id");
  const segments = connection.prepare<[], SegmentRow>("SELECT * FROM segment ORDER BY file");
  const segmentsByCorpus = connection.prepare<[], { corpus: string; file: string }>(
    `SELECT DISTINCT corpus_import.corpus AS corpus, segment_import.segment_file AS file
     FROM segment_import JOIN corpus_import ON corpus_import.id = segment_import.import_id ORDER BY file`,
  );
  const insert = connection.prepare(
    "INSERT INTO corpus (name, scope, confidence, origin, revision) VALUES (?, ?, ?, ?, ?)",
  );
  const update = connection.prepare("UPDATE corpus SET confidence = ?, origin = ?, revision = ? WHERE name = ?");
  const remove = connection.prepare("DELETE FROM corpus WHERE name = ?");
  const sameBytes = connection.prepare<[string, string], { id: string }>(
    "SELECT id FROM corpus_import WHERE corpus = ? AND sha256 = ?",
  );
  const sameContent = connection.prepare<[string, string], { name: string; origin: string }>(
    `SELECT corpus.name, corpus.origin FROM corpus_import JOIN corpus ON corpus.name = corpus_import.corpus
     WHERE content_sha256 = ? AND corpus.name <> ? ORDER BY corpus_import.rowid LIMIT 1`,
  );
  const insertImport = connection.prepare(
    `INSERT INTO corpus_import (id, corpus, file_name, sha256, content_sha256, rules, format, importer, options, skipped,
       read_count, record_count, imported_at, duration_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertSegment = connection.prepare(
    "INSERT INTO segment (file, address_count, record_count, template_count, size_bytes) VALUES (?, ?, ?, ?, ?)",
  );
  const link = connection.prepare("INSERT INTO segment_import (segment_file, import_id) VALUES (?, ?)");
  const importsIn = connection.prepare<[string], { import_id: string }>(
    "SELECT import_id FROM segment_import WHERE segment_file = ?",
  );
  const removeSegment = connection.prepare("DELETE FROM segment WHERE file = ?");
  const removeDeadSegments = connection.prepare(
    "DELETE FROM segment WHERE NOT EXISTS (SELECT 1 FROM segment_import WHERE segment_file = file)",
  );
  const touchAll = connection.prepare("UPDATE workspace SET corpora_revision = ?");
  const touchOne = connection.prepare("UPDATE workspace SET corpora_revision = ? WHERE id = ?");
  const forget = connection.prepare("INSERT OR IGNORE INTO forgotten (corpus_hash, forgotten_at) VALUES (?, ?)");
  const findForgotten = connection.prepare<[string], { corpus_hash: string }>(
    "SELECT corpus_hash FROM forgotten WHERE corpus_hash = ?",
  );
  const allForgotten = connection.prepare<[], { corpus_hash: string }>(
    "SELECT corpus_hash FROM forgotten ORDER BY corpus_hash",
  );

  function touch(scope: WorkspaceId | null, revision: string): void {
    if (scope === null) touchAll.run(revision);
    else touchOne.run(revision, scope);
  }

  function addSegment(segment: CorpusSegment, importIds: readonly string[]): void {
    const { file, addressCount, recordCount, templateCount, sizeBytes } = segment;
    insertSegment.run(file, addressCount, recordCount, templateCount, sizeBytes);
    for (const id of importIds) link.run(file, id);
  }

  return {
    list(): Corpus[] {
      const importRows = imports.all();
      const segmentsByFile = new Map(segments.all().map((row) => [row.file, toSegment(row)]));
      const links = segmentsByCorpus.all();
      return all.all().map((row) => ({
        ...row,
        imports: importRows.filter((entry) => entry.corpus === row.name).map(toImport),
        segments: links.flatMap(({ corpus, file }) => (corpus === row.name ? (segmentsByFile.get(file) ?? []) : [])),
      }));
    },

    publish(publication: Publication, by: Author): PublishOutcome {
      const { name, scope, revision } = publication;
      const existing = find.get(name) ?? null;
      const twin = sameContent.get(publication.import.contentSha256 ?? "", name) ?? null;
      const isKnown = sameBytes.get(name, publication.import.sha256) !== undefined;
      const { confidence, origin, hasChanged } = publishCorpus(publication, existing, twin, isKnown);
      if (existing === null) insert.run(name, scope, confidence, origin, revision);
      else if (hasChanged) update.run(confidence, origin, revision, name);
      if (!isKnown) {
        const { id, fileName, sha256, contentSha256, rules, format, importer, options, skipped, ...rest } =
          publication.import;
        const texts = [JSON.stringify(options), JSON.stringify(skipped)] as const;
        const { readCount, recordCount, importedAt, durationMs } = rest;
        insertImport.run(
          id,
          name,
          fileName,
          sha256,
          contentSha256,
          rules,
          format,
          importer,
          ...texts,
          readCount,
          recordCount,
          importedAt.getTime(),
          durationMs,
        );
        addSegment(publication.segment, [id]);
      }
      if (hasChanged) touch(scope, revision);
      audit.append([auditEvent(by, "corpus.imported", { workspaceId: scope, detail: name })]);
      return { outcome: isKnown ? "already_imported" : "published", sameAs: twin?.name ?? null };
    },

    remove(name: string, revision: string, by: Author): boolean {
      const existing = find.get(name);
      if (existing === undefined) return false;
      remove.run(name);
      removeDeadSegments.run();
      touch(existing.scope, revision);
      audit.append([auditEvent(by, "corpus.removed", { workspaceId: existing.scope, detail: name })]);
      return true;
    },

    replaceSegments({ files, merged, importIds }: SegmentReplacement): boolean {
      const present = new Set<string>();
      for (const file of files) {
        const links = importsIn.all(file);
        // A segment without a link was removed: the removal of its last link removes the segment too.
        if (links.length === 0) return false;
        for (const { import_id } of links) present.add(import_id);
      }
      for (const file of files) removeSegment.run(file);
      const kept = importIds.filter((id) => present.has(id));
      if (merged !== null) addSegment(merged, kept);
      removeDeadSegments.run();
      return true;
    },

    forget(corpusHash: string, now: Date): void {
      forget.run(corpusHash, now.getTime());
    },

    isForgotten: (corpusHash: string): boolean => findForgotten.get(corpusHash) !== undefined,

    listForgotten: (): string[] => allForgotten.all().map(({ corpus_hash }) => corpus_hash),
  };
}

type OfIndicator = { readonly forget: (indicatorHash: string) => void };

/** `ofIndicators`: the tables with findings about an indicator. */
export function corpusStore(
  connection: Connection,
  { read, write, writeUrgently }: Transactions,
  corpora: () => ReturnType<typeof corpusTable>,
  ofIndicators: readonly OfIndicator[],
  audit: Pick<ReturnType<typeof auditTable>, "append">,
): CorpusStore {
  return {
    listCorpora: () => read(() => corpora().list()),
    publishImport: (...args) => write(() => corpora().publish(...args)),
    removeCorpus: (...args) => writeUrgently(() => corpora().remove(...args)),
    replaceSegments: (replacement) => write(() => corpora().replaceSegments(replacement)),
    async forget({ indicatorHash, corpusHash }, by) {
      await write(() => {
        corpora().forget(corpusHash, by.at);
        for (const table of ofIndicators) table.forget(indicatorHash);
        audit.append([auditEvent(by, "corpus.forgotten", { indicatorHmac: indicatorHash })]);
      });
      emptyLog(connection);
    },
    isForgotten: (corpusHash) => read(() => corpora().isForgotten(corpusHash)),
    forgottenAmong: (corpusHashes) =>
      read(() => new Set(corpusHashes.filter((corpusHash) => corpora().isForgotten(corpusHash)))),
    listForgotten: () => read(() => corpora().listForgotten()),
  };
}

function toImport(row: ImportRow): CorpusImport {
  return {
    id: row.id,
    fileName: row.file_name,
    sha256: row.sha256,
    contentSha256: row.content_sha256,
    rules: row.rules,
    format: row.format,
    importer: row.importer,
    options: JSON.parse(row.options) as Record<string, string>,
    skipped: JSON.parse(row.skipped) as Record<string, number>,
    readCount: row.read_count,
    recordCount: row.record_count,
    importedAt: toDate(row.imported_at),
    durationMs: row.duration_ms,
  };
}

function toSegment(row: SegmentRow): CorpusSegment {
  return {
    file: row.file,
    addressCount: row.address_count,
    recordCount: row.record_count,
    templateCount: row.template_count,
    sizeBytes: row.size_bytes,
  };
}
