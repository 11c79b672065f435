import type { Author } from "../../domain/audit.ts";
import type { Corpus, CorpusImport, CorpusSegment } from "../../domain/corpus.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";

/** Corpora, and the addresses that none of them may answer for. */
export interface CorpusStore {
  /** All corpora, by name, ascending. */
  listCorpora(): Promise<Corpus[]>;
  /** Makes an import visible, or says that the same bytes are there already. The commit is the publication. */
  publishImport(publication: Publication, by: Author): Promise<PublishOutcome>;
  /** False when there is no corpus of that name. Segments that hold nothing else are gone too. */
  removeCorpus(name: string, revision: string, by: Author): Promise<boolean>;
  /** Puts one segment in the place of several. False when one of them is gone: then nothing was changed. */
  replaceSegments(replacement: SegmentReplacement): Promise<boolean>;
  /**
   * From now on no corpus answers for an indicator; its scans (unfinished ones too), stored answers and ledger rows in
   * every workspace are gone (docs/contract.md 12.6a).
   */
  forget(forgetting: Forgetting, by: Author): Promise<void>;
  /** `corpusHash`: 16 hex digits. */
  isForgotten(corpusHash: string): Promise<boolean>;
  /** Those of the keys that are forgotten. */
  forgottenAmong(corpusHashes: readonly string[]): Promise<ReadonlySet<string>>;
  /** All forgotten keys, ascending. */
  listForgotten(): Promise<string[]>;
}

export type Publication = {
  readonly name: string;
  readonly scope: WorkspaceId | null;
  /** Used when the name is new; `isGiven` says that the operator asked for it, and then it replaces an older one. */
  readonly confidence: { readonly value: number; readonly isGiven: boolean };
  readonly origin: { readonly value: string; readonly isGiven: boolean };
  readonly revision: string;
  readonly import: CorpusImport;
  readonly segment: CorpusSegment;
};

/** `sameAs`: another corpus that holds the same content. */
export type PublishOutcome = {
  readonly outcome: "published" | "already_imported";
  readonly sameAs: string | null;
};

export type SegmentReplacement = {
  readonly files: readonly string[];
  /** Null when nothing of them is left. */
  readonly merged: CorpusSegment | null;
  /** Imports whose records are in `merged`; those that were removed meanwhile do not count. */
  readonly importIds: readonly string[];
};

export type Forgetting = { readonly indicatorHash: string; readonly corpusHash: string };
