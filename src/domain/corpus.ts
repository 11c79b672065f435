import type { WorkspaceId } from "./workspace.ts";

/** A set of imports under one source name. */
export type Corpus = {
  readonly name: string;
  /** The only workspace that sees the corpus; null = all workspaces. */
  readonly scope: WorkspaceId | null;
  readonly confidence: number;
  readonly origin: string;
  /** A new value after each change to the corpus. */
  readonly revision: string;
  readonly imports: readonly CorpusImport[];
  /** The segments that hold records of these imports. A segment may also hold records of other imports. */
  readonly segments: readonly CorpusSegment[];
};

/** One imported file, archive or folder, and its origin. */
export type CorpusImport = {
  readonly id: string;
  /** Name of the file that the operator gave, without its folder. */
  readonly fileName: string;
  /** Hash of the file as it was given, packed or not. */
  readonly sha256: string;
  /** Hash of the unpacked bytes; null for an import made before version 0.2. */
  readonly contentSha256: string | null;
  /** See `importRules`. */
  readonly rules: number;
  /** Names of formats, separated by commas. */
  readonly format: string;
  /** The person or account that imported the file. */
  readonly importer: string;
  /** The options that the operator gave: format, title, category, severity, subject, date. */
  readonly options: Readonly<Record<string, string>>;
  readonly readCount: number;
  readonly recordCount: number;
  /** Reason -> count (docs/contract.md 11.5). */
  readonly skipped: Readonly<Record<string, number>>;
  readonly importedAt: Date;
  readonly durationMs: number;
};

/** One immutable file in the corpora folder, with records of one or more imports. */
export type CorpusSegment = {
  readonly file: string;
  readonly addressCount: number;
  readonly recordCount: number;
  readonly templateCount: number;
  readonly sizeBytes: number;
};
