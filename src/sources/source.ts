import type * as z from "zod/mini";
import type { SourceError } from "../domain/error.ts";
import type { Finding } from "../domain/finding.ts";
import type { Indicator } from "../domain/indicator.ts";
import type { Pace } from "../domain/pace.ts";
import type { ChildRunner } from "../egress/child.ts";
import type { HttpClient, HttpResponse } from "../egress/client.ts";
import type { Catalogue } from "./catalogue.ts";

/** What a source said, before the scan dates and stores it. An empty list of findings means that it knows nothing. */
export type SourceReply = {
  readonly findings: readonly Finding[];
  /**
   * Parts without an answer: optional sub-calls by name, `3 of 7 sites`, and in words what else was left out (docs/contract.md
   * 6.5, docs/pipeline.md 21.11 to 21.17). Each is for people; none holds an address or text of the source.
   */
  readonly missing?: readonly string[];
  /** True when it said by a 404 that it knows nothing: a wrong address of the service says the same. */
  readonly isNotFound?: boolean;
  /** Calls left at the upstream in its current period; null or absent when it did not tell. */
  readonly quotaLeft?: number | null;
};

/**
 * An adapter: data and one function, no state, so that many scans use it at once.
 *
 * `lookup` throws `SourceError` for every fault (docs/contract.md 11.3). A fault is never an empty list: silence must not
 * read as clean. It ends soon after `context.signal` aborts. Its schemas are made by `z.lazy` when they are first needed:
 * every process starts with all kinds, and few are configured.
 */
export type SourceKind<Settings = unknown> = {
  readonly kind: string;
  /** Default confidence, 0 to 1 (docs/contract.md 11.2). */
  readonly confidence: number;
  /** True when asking it leaves the machine: such a source is skipped while offline unless it is marked internal. */
  readonly isOnline: boolean;
  /** `key`: it has a `base_url` and cannot be asked without an API key (docs/contract.md 11.2). Default: `none`. */
  readonly auth?: "key" | "none";
  /** True for a kind that is declared many times, as `[[sources.<kind>]]` with a `name`. */
  readonly isListed?: boolean;
  /** True for a kind that may stand inside the perimeter: then plain HTTP and questions while offline are allowed (docs/contract.md 11.7). */
  readonly mayBeInternal?: boolean;
  /** True for the kind whose service and settings bring the public list of breaches. */
  readonly hasCatalogue?: boolean;
  /** Where it is asked when the operator gives no `base_url`; without a slash at its end. */
  readonly defaultBaseUrl?: string;
  /** Names, in lower case, of the headers that it sends beside `accept`; an operator cannot set them. */
  readonly ownHeaders?: readonly string[];
  /** The keys of its table beside the common ones of `config/tables.ts`, in snake_case, strict. */
  readonly settings: z.ZodMiniType<Settings>;
  /** Default pace, or null for none (docs/contract.md 5.9). */
  readonly pace: Pace | null;
  /** Runs of its program at once, over all scans; absent for a kind that runs none. */
  readonly maxConcurrent?: number;
  readonly timeoutMs: number;
  /** Tells an answer that asks to come back later from others; default: `asksToWait`. */
  readonly isThrottled?: (response: HttpResponse) => boolean;
  readonly lookup: (indicator: Indicator, context: LookupContext<Settings>) => Promise<SourceReply>;
};

export type LookupContext<Settings> = {
  /** The name of the source, for titles and log lines. */
  readonly name: string;
  readonly baseUrl: string | null;
  readonly apiKey: string | null;
  readonly settings: Settings;
  /** Waits for the turn of the source before each request, and once more after an upstream 429 that fits in the time left. */
  readonly http: HttpClient;
  /** For a kind that asks through a program; waits for its turn as `maxConcurrent` says. */
  readonly child: ChildRunner;
  /** The public list of breaches: alias table for all kinds, names and dates for those that only get names. */
  readonly catalogue: Catalogue;
  readonly signal: AbortSignal;
  /** When `signal` aborts at the latest, by wall time. */
  readonly deadline: Date;
};

/** What is known about the indicator at a position of a list, or why that look-up failed. */
export type FoundByMany = { readonly at: number; readonly result: readonly Finding[] | SourceError };

/** A source as one scan asks it: an adapter bound to its name and settings, and for a corpus to its data. */
export type Source = {
  readonly name: string;
  readonly kind: string;
  /** At most 3 decimals; a proxy of the source's reliability, constant for all it says. */
  readonly confidence: number;
  /** The dataset it draws on: sources of one origin count once in corroboration. */
  readonly origin: string;
  /** Keyed hash of all settings but `timeout` and `rate`, and of a corpus's revision. */
  readonly fingerprint: string;
  readonly timeoutMs: number;
  /** How often it may be asked; null for as often as anybody likes. */
  readonly pace: Pace | null;
  /** True when asking it tells somebody outside of the perimeter which address is asked about. */
  readonly isOutside: boolean;
  /** False when the machine is offline and this source is not marked internal: the scan skips it. */
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

/** How long a look-up may take: it ends soon after `signal` aborts, which is at `deadline` or before. */
export type LookupLimits = { readonly signal: AbortSignal; readonly deadline: Date };
