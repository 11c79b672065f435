import type { Limits } from "../domain/budget.ts";
import type { Corpus } from "../domain/corpus.ts";
import type { Lifetimes } from "../domain/freshness.ts";
import type { Tlp } from "../domain/tlp.ts";
import type { Workspace } from "../domain/workspace.ts";
import type { Source } from "../sources/source.ts";

/** All settings that a reload may change, in one frozen object. A batch of calls or a scan keeps one throughout. */
export type Live = {
  readonly lifetimes: Lifetimes;
  readonly limits: Limits;
  readonly maxQueue: number;
  readonly concurrency: number;
  readonly scanTimeoutMs: number;
  readonly ledgerRetentionMs: number;
  /** Atoms of an envelope (docs/pipeline.md 16.6). */
  readonly maxFindings: number;
  readonly watch: {
    readonly max: number;
    /** 0 = no full scans. */
    readonly intervalMs: number;
    readonly eventRetentionMs: number;
  };
  /** `scan.max_tlp_outside` (docs/pipeline.md 16.2). */
  readonly maxTlpOutside: Tlp;
  /** Keyed hash of the settings of all sources that a workspace may ask. */
  readonly fingerprintOf: (workspace: Pick<Workspace, "id" | "name">) => string;
  /** True when no source but corpora is asked for a workspace: then its scans may run in groups. */
  readonly asksCorporaOnly: (workspace: Pick<Workspace, "id" | "name">) => boolean;
  /** The sources that a workspace may ask, including one per visible corpus. */
  readonly sourcesOf: (workspace: Pick<Workspace, "id" | "name">, corpora: readonly Corpus[]) => Source[];
};
