import type * as z from "zod/mini";
import type { SourceError } from "../domain/error.ts";
import type { Finding } from "../domain/finding.ts";
import type { Indicator } from "../domain/indicator.ts";
import type { Pace } from "../domain/pace.ts";
import type { ChildRunner } from "../egress/child.ts";
import type { HttpClient, HttpResponse } from "../egress/client.ts";
import type { Catalogue } from "./breach-catalogue.ts";

/** The reply of a source, before the scan dates and stores it. An empty list of findings means "unknown". */
export type SourceReply = {
  readonly findings: readonly Finding[];
  /**
   * Parts without an answer: optional calls by name, `3 of 7 sites`, and other omissions in words (docs/contract.md
   * 6.5, docs/pipeline.md 21.11 to 21.17). For human readers; contains no address and no text of the source.
   */
  readonly missing?: readonly string[];
  /** Whether the source said "unknown" by a 404. A wrong service URL gives the same answer. */
  readonly isNotFound?: boolean;
  /** Calls left in the current period of the upstream; null or absent when not reported. */
  readonly quotaLeft?: number | null;
};

/**
 * An adapter: data and one function without state, so many scans can use it at once.
 *
 * `lookup` throws `SourceError` for every fault (docs/contract.md 11.3). A fault is never an empty list, which would
 * read as clean. It ends soon after `context.signal` aborts. Schemas are built lazily with `z.lazy`: every process
 * loads all kinds, and few are configured.
 */
export type SourceKind<Settings = unknown> = {
  readonly kind: string;
  /** Default confidence, 0 to 1 (docs/contract.md 11.2). */
  readonly confidence: number;
  /** Whether a look-up leaves the machine. Such a source is skipped while offline unless it is marked internal. */
  readonly isOnline: boolean;
  /** `key`: the source has a `base_url` and needs an API key (docs/contract.md 11.2). Default: `none`. */
  readonly auth?: "key" | "none";
  /** Whether the kind can be declared many times, as `[[sources.<kind>]]` with a `name`. */
  readonly isListed?: boolean;
  /**
   * Whether the kind may be inside the perimeter. Then plain HTTP, and look-ups while offline, are allowed
   * (docs/contract.md 11.7).
   */
  readonly mayBeInternal?: boolean;
  /** Whether the kind provides the public list of breaches. */
  readonly hasCatalogue?: boolean;
  /** The service URL when the operator gives no `base_url`; without a trailing slash. */
  readonly defaultBaseUrl?: string;
  /** Lower-case names of the headers it sends besides `accept`. The operator cannot set these. */
  readonly ownHeaders?: readonly string[];
  /** Schema of its own configuration keys, in snake_case, strict. The common keys are in `config/tables.ts`. */
  readonly settings: z.ZodMiniType<Settings>;
  /** Whether the operator allowed findings about sensitive sites in the settings; default: no. */
  readonly allowsSensitive?: (settings: Settings) => boolean;
  /** Default pace; null for none (docs/contract.md 5.9). */
  readonly pace: Pace | null;
  /** Concurrent runs of its program over all scans; absent for a kind that runs no program. */
  readonly maxConcurrent?: number;
  readonly timeoutMs: number;
  /** Whether an answer asks to retry later; default: `asksToWait`. */
  readonly isThrottled?: (response: HttpResponse) => boolean;
  readonly lookup: (indicator: Indicator, context: LookupContext<Settings>) => Promise<SourceReply>;
};

export type LookupContext<Settings> = {
  /** The name of the source, for titles and log lines. */
  readonly name: string;
  readonly baseUrl: string | null;
  readonly apiKey: string | null;
  readonly settings: Settings;
  /**
   * Waits for the pace of the source before each request, and once more after a 429 whose wait fits into the time left.
   */
  readonly http: HttpClient;
  /** For a kind that runs a program; obeys `maxConcurrent`. */
  readonly child: ChildRunner;
  /** The public list of breaches: aliases for all kinds, names and dates for kinds that receive only names. */
  readonly catalogue: Catalogue;
  readonly signal: AbortSignal;
  /** The latest time at which `signal` aborts, by wall clock. */
  readonly deadline: Date;
};

/** The findings for the indicator at a position of a list, or the reason why that look-up failed. */
export type FoundByMany = { readonly at: number; readonly result: readonly Finding[] | SourceError };

/** A source as used by one scan: an adapter bound to its name and settings, and to its data for a corpus. */
export type Source = {
  readonly name: string;
  readonly kind: string;
  /** At most 3 decimals. A constant estimate of the source's reliability. */
  readonly confidence: number;
  /** The dataset it draws on. Sources of the same origin count once in corroboration. */
  readonly origin: string;
  /** Keyed hash of all settings except `timeout` and `rate`, and of the revision of a corpus. */
  readonly fingerprint: string;
  readonly timeoutMs: number;
  /** How often it may be asked; null without a limit. */
  readonly pace: Pace | null;
  /** True when asking it tells somebody outside of the perimeter which address is asked about. */
  readonly isOutside: boolean;
  /** False when the machine is offline and this source is not marked internal; the scan then skips it. */
  readonly isAllowed: boolean;
  readonly lookup: (indicator: Indicator, limits: LookupLimits) => Promise<SourceReply>;
  /**
   * For a source that answers many indicators at once far faster than one by one: gives what it knows, some hundred indicators at a
   * time, in any order, merged and capped; nothing about the others means no data. Throws what the signal was aborted with.
   */
  readonly lookUpMany?: (
    indicators: readonly Indicator[],
    limits: LookupLimits,
  ) => AsyncIterable<readonly FoundByMany[]>;
};

/** The time limit of a look-up: it ends soon after `signal` aborts, at `deadline` or earlier. */
export type LookupLimits = { readonly signal: AbortSignal; readonly deadline: Date };
