import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type ImportContext, type ImportOptions, importCorpus } from "../../src/corpus/import.ts";
import { openLibrary } from "../../src/corpus/library.ts";
import type { Corpus } from "../../src/domain/corpus.ts";
import type { Finding } from "../../src/domain/finding.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import type { Publication } from "../../src/store/store.ts";
import { testAuthor } from "./test-author.ts";

export const keys = deriveKeys(Buffer.alloc(32, 7));

/** A folder of corpora with a store in memory: what imports and look-ups need, and nothing else. */
export function openDesk() {
  const root = mkdtempSync(join(tmpdir(), "xpose-corpus-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const corporaDir = mkdtempSync(join(root, "corpora-"));
  const library = openLibrary(corporaDir, keys);
  onTestFinished(() => library.close());
  const corpora = new Map<string, Corpus>();
  const publications: Publication[] = [];
  const store: ImportContext["store"] = {
    listCorpora: async () => [...corpora.values()],
    async publishImport(publication) {
      publications.push(publication);
      const { name, scope, confidence, origin, revision } = publication;
      const existing = corpora.get(name);
      const isKnown = existing?.imports.some(({ sha256 }) => sha256 === publication.import.sha256) ?? false;
      corpora.set(name, {
        name,
        scope,
        revision,
        confidence: confidence.isGiven ? confidence.value : (existing?.confidence ?? confidence.value),
        origin: origin.isGiven ? origin.value : (existing?.origin ?? origin.value),
        imports: isKnown ? (existing?.imports ?? []) : [...(existing?.imports ?? []), publication.import],
      });
      return isKnown ? "already_imported" : "published";
    },
  };
  const context: ImportContext = {
    store,
    keys,
    corporaDir,
    now: () => new Date("2026-01-02T03:04:05Z"),
    newId: () => crypto.randomUUID(),
    by: () => testAuthor,
    signal: new AbortController().signal,
  };
  const desk = {
    root,
    corporaDir,
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
        { source: { path }, name: "shop", scope: null, takenNames: new Set(), ...options },
        { ...context, ...changes },
      ),
    /** Imports text as a file of that name. */
    importText: (content: string | Uint8Array, options: Partial<ImportOptions> = {}, fileName = "file.txt") =>
      desk.importFile(desk.file(fileName, content), options),
    async lookup(address: string, corpusName = "shop"): Promise<Finding[]> {
      const corpus = corpora.get(corpusName);
      if (corpus === undefined) return [];
      return library.lookup(corpus, { type: "email", value: address }, context.signal);
    },
  };
  return desk;
}
