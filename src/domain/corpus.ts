import type { WorkspaceId } from "./workspace.ts";

/** A set of imports under one source name. */
export type Corpus = {
  readonly name: string;
  /** The one workspace that sees it; null = all. */
  readonly scope: WorkspaceId | null;
  readonly confidence: number;
  readonly origin: string;
  /** Set anew by each change to the corpus. */
  readonly revision: string;
  readonly imports: readonly CorpusImport[];
};

export type CorpusImport = {
  readonly id: string;
  /** Name of the file as the operator gave it, without its folder. */
  readonly fileName: string;
  readonly sha256: string;
  readonly format: string;
  readonly recordCount: number;
  readonly importedAt: Date;
  /** The segment file in the corpora folder. */
  readonly segmentFile: string;
};
