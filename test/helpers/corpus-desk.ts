import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { forgetIndicator } from "../../src/corpus/forget.ts";
import { type ImportContext, type ImportOptions, importCorpus } from "../../src/corpus/import/import.ts";
import { openLibrary } from "../../src/corpus/library.ts";
import { type MergeContext, mergeCorpora } from "../../src/corpus/merge-corpora.ts";
import { mergeSegments } from "../../src/corpus/segment/merge.ts";
import type { Corpus } from "../../src/domain/corpus.ts";
import type { Finding } from "../../src/domain/finding.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import type { Publication } from "../../src/store/port/corpus.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { openInlineLane } from "./inline-lane.ts";
import { testAuditKey, testAuthor } from "./test-author.ts";

export const keys = deriveKeys(Buffer.alloc(32, 7));

/** A folder of corpora with a store in memory: just enough for imports, merges and look-ups. */
export function openDesk() {
  const root = mkdtempSync(join(tmpdir(), "xpose-corpus-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const corporaDir = mkdtempSync(join(root, "corpora-"));
  const real = SqliteStore.inMemory(testAuditKey);
  onTestFinished(() => real.close());
  const library = openLibrary(corporaDir, { keys, store: real });
  onTestFinished(() => library.close());
  /** The corpora after the last change. */
  const corpora = new Map<string, Corpus>();
  const publications: Publication[] = [];
  const refresh = async () => {
    corpora.clear();
    for (const corpus of await real.listCorpora()) corpora.set(corpus.name, corpus);
  };
  const store: ImportContext["store"] = {
    listCorpora: () => real.listCorpora(),
    listForgotten: () => real.listForgotten(),
    async publishImport(publication, by) {
      publications.push(publication);
      const { scope } = publication;
      if (scope !== null && (await real.findWorkspace(scope)) === null) {
        await real.insertWorkspace({ id: scope, name: scope, plan: "team", disabledAt: null }, null, testAuthor);
      }
      const outcome = await real.publishImport(publication, by);
      await refresh();
      return outcome;
    },
  };
  const context: ImportContext = {
    store,
    keys,
    corporaDir,
    now: () => new Date("2026-01-02T03:04:05Z"),
    newId: () => crypto.randomUUID(),
    by: () => testAuthor,
    openLane: openInlineLane,
    laneCount: 2,
    signal: new AbortController().signal,
  };
  const desk = {
    root,
    corporaDir,
    store: real,
    library,
    corpora,
    publications,
    context,
    /** Writes a file outside of the corpora folder; returns its path. */
    file(name: string, content: string | Uint8Array): string {
      const path = join(root, name);
      writeFileSync(path, content);
      return path;
    },
    importFile: (path: string, options: Partial<ImportOptions> = {}, changes: Partial<ImportContext> = {}) =>
      importCorpus(
        { source: { path }, importer: "test", name: "shop", scope: null, takenNames: new Set(), ...options },
        { ...context, ...changes },
      ),
    /** Imports text as a file with this name. */
    importText: (content: string | Uint8Array, options: Partial<ImportOptions> = {}, fileName = "file.txt") =>
      desk.importFile(desk.file(fileName, content), options),
    async merge(urgency: "crowded" | "idle" = "idle", changes: Partial<MergeContext> = {}): Promise<number> {
      const { newId, signal } = context;
      const replacedCount = await mergeCorpora(
        { store: real, keys, corporaDir, newId, signal, run: mergeSegments, ...changes },
        urgency,
      );
      await refresh();
      return replacedCount;
    },
    async remove(name: string): Promise<boolean> {
      const isRemoved = await real.removeCorpus(name, crypto.randomUUID(), testAuthor);
      await refresh();
      return isRemoved;
    },
    forget: (address: string) =>
      forgetIndicator({ type: "email", value: address }, { store: real, keys, by: testAuthor }),
    async lookup(address: string, corpusName = "shop"): Promise<Finding[]> {
      const corpus = corpora.get(corpusName);
      if (corpus === undefined) return [];
      return library.lookup(corpus, { type: "email", value: address }, context.signal);
    },
  };
  return desk;
}
