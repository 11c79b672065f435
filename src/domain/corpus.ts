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
  /** Those that hold records of its imports, and maybe of others. */
  readonly segments: readonly CorpusSegment[];
};

/** One file, archive or folder that was read in, and where it came from. */
export type CorpusImport = {
  readonly id: string;
  /** Name of the file as the operator gave it, without its folder. */
  readonly fileName: string;
  /** Of the bytes as they were given, packed or not. */
  readonly sha256: string;
  /** Of the unpacked bytes; null for an import of before version 0.2. */
  readonly contentSha256: string | null;
  /** See `importRules`. */
  readonly rules: number;
  /** Names of formats, with a comma between them. */
  readonly format: string;
  /** Who imported it. */
  readonly importer: string;
  /** What the operator said about it: format, title, category, severity, subject, date. */
  readonly options: Readonly<Record<string, string>>;
  readonly readCount: number;
  readonly recordCount: number;
  /** Reason -> count (docs/contract.md 11.5). */
  readonly skipped: Readonly<Record<string, number>>;
  readonly importedAt: Date;
  readonly durationMs: number;
};

/** One immutable file with records of one or more imports, in the corpora folder. */
export type CorpusSegment = {
  readonly file: string;
  readonly addressCount: number;
  readonly recordCount: number;
  readonly templateCount: number;
  readonly sizeBytes: number;
};
