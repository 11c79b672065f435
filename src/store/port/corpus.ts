import type { Author } from "../../domain/audit.ts";
import type { Corpus, CorpusImport, CorpusSegment } from "../../domain/corpus.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";

/** Corpora, and the addresses that were forgotten. */
export interface CorpusStore {
  /** All corpora, ascending by name. */
  listCorpora(): Promise<Corpus[]>;
  /** Makes an import visible with its commit, or reports that the same bytes were imported before. */
  publishImport(publication: Publication, by: Author): Promise<PublishOutcome>;
  /** False when there is no corpus with that name. Also removes the segments that hold nothing else. */
  removeCorpus(name: string, revision: string, by: Author): Promise<boolean>;
  /** Replaces several segments by one. False, and nothing is changed, when one of them was removed. */
  replaceSegments(replacement: SegmentReplacement): Promise<boolean>;
  /**
   * Forgets an indicator: from now on no corpus answers for it. Removes its scans (unfinished scans too), stored
   * answers and ledger rows in every workspace (docs/contract.md 12.6a).
   */
  forget(forgetting: Forgetting, by: Author): Promise<void>;
  /** `corpusHash` has 16 hex digits. */
  isForgotten(corpusHash: string): Promise<boolean>;
  /** The forgotten keys among these. */
  forgottenAmong(corpusHashes: readonly string[]): Promise<ReadonlySet<string>>;
  /** All forgotten keys, ascending. */
  listForgotten(): Promise<string[]>;
}

export type Publication = {
  readonly name: string;
  readonly scope: WorkspaceId | null;
  /** Used for a new corpus. `isGiven`: the operator asked for this value, so it also replaces an older value. */
  readonly confidence: { readonly value: number; readonly isGiven: boolean };
  readonly origin: { readonly value: string; readonly isGiven: boolean };
  readonly revision: string;
  readonly import: CorpusImport;
  readonly segment: CorpusSegment;
};

/** `sameAs`: another corpus with the same content. */
export type PublishOutcome = {
  readonly outcome: "published" | "already_imported";
  readonly sameAs: string | null;
};

export type SegmentReplacement = {
  readonly files: readonly string[];
  /** Null when no records are left. */
  readonly merged: CorpusSegment | null;
  /** Imports whose records are in `merged`. Imports that were removed during the merge are ignored. */
  readonly importIds: readonly string[];
};

export type Forgetting = { readonly indicatorHash: string; readonly corpusHash: string };
