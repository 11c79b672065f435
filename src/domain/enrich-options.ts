import type { Reach } from "../wire/case.ts";
import type { EnrichRequest } from "../wire/scan.ts";
import type { Unchecked } from "../wire/shape.ts";
import { AppError } from "./error.ts";
import { type Demand, noDemand } from "./freshness.ts";
import { parseTlp, type Tlp, tlps } from "./tlp.ts";

/** The options of a look-up (docs/pipeline.md 16.1, 16.2). */
export type EnrichOptions = {
  /** True: a miss starts nothing. */
  readonly isCachedOnly: boolean;
  /** The greatest age of an answer that may be used; 0 asks every source. Null: the lifetimes of the cache decide. */
  readonly maxAgeMs: number | null;
  /** The mark of the question; null when it has none. */
  readonly tlp: Tlp | null;
};

/** The options of a client of the published API. */
export const noOptions: EnrichOptions = { isCachedOnly: false, maxAgeMs: null, tlp: null };

/** docs/pipeline.md 16.1. */
export const longestMaxAgeSeconds = 31_536_000;
const longestDepth = 64;

const asFlag: Readonly<Record<string, boolean>> = { true: true, false: false };

/**
 * Parses `options` of a body. A missing or null option has its default; unknown options are ignored. Any depth of 1 to 64
 * characters is accepted for forward compatibility and changes nothing (docs/contract.md 3.1). Throws `invalid_request`.
 */
export function parseOptions(options: unknown): EnrichOptions {
  if (options === null || options === undefined) return noOptions;
  if (typeof options !== "object" || Array.isArray(options)) throw wrong("The options must be an object");
  const { depth, cached_only, max_age, tlp }: Unchecked<NonNullable<EnrichRequest["options"]>> = options;
  if (depth !== null && depth !== undefined && !isDepth(depth)) {
    throw wrong("The option depth must be text of 1 to 64 characters");
  }
  const isCachedOnly = cached_only ?? false;
  if (typeof isCachedOnly !== "boolean") throw wrong("The option cached_only must be true or false");
  return { isCachedOnly, maxAgeMs: parseMaxAge(max_age ?? null), tlp: parseMark(tlp ?? null) };
}

/** Parses the same options as query parameters (docs/pipeline.md 16.5). Throws `invalid_request`. */
export function parseQueryOptions(query: URLSearchParams): EnrichOptions {
  const [cachedOnly, maxAge, tlp] = [only(query, "cached_only"), only(query, "max_age"), only(query, "tlp")];
  const isCachedOnly = cachedOnly === null ? false : asFlag[cachedOnly];
  if (isCachedOnly === undefined) throw wrong("The option cached_only must be true or false");
  // Only digits: `Number` also takes other notations, and an empty text for 0.
  const seconds = maxAge === null ? null : /^\d{1,8}$/.test(maxAge) ? Number(maxAge) : Number.NaN;
  return { isCachedOnly, maxAgeMs: parseMaxAge(seconds), tlp: parseMark(tlp) };
}

/** The demands on a result. `maxTlpOutside` is `scan.max_tlp_outside`. */
export function demandOf({ tlp, maxAgeMs }: EnrichOptions, maxTlpOutside: Tlp): Demand {
  // The usual case, on the path of every hit.
  if (tlp === null && maxAgeMs === null) return noDemand;
  return { reach: reachOf(tlp, maxTlpOutside), maxAgeMs };
}

/**
 * The reach of a question with a mark: above `maxTlpOutside` only sources inside the perimeter are asked. A question
 * without a mark has full reach.
 */
function reachOf(tlp: Tlp | null, maxTlpOutside: Tlp): Reach {
  return tlp !== null && tlps.indexOf(tlp) > tlps.indexOf(maxTlpOutside) ? "inside" : "full";
}

function isDepth(depth: unknown): boolean {
  if (typeof depth !== "string") return false;
  const { length } = [...depth];
  return length >= 1 && length <= longestDepth;
}

/** Whole seconds to milliseconds. */
function parseMaxAge(seconds: unknown): number | null {
  if (seconds === null) return null;
  const isWhole = typeof seconds === "number" && Number.isInteger(seconds);
  if (!isWhole || seconds < 0 || seconds > longestMaxAgeSeconds) {
    throw wrong(`The option max_age must be a whole number of seconds from 0 to ${longestMaxAgeSeconds}`);
  }
  return seconds * 1000;
}

function parseMark(text: unknown): Tlp | null {
  if (text === null) return null;
  const tlp = typeof text === "string" ? parseTlp(text) : null;
  if (tlp === null) throw wrong("The option tlp must be one of clear, white, green, amber, amber+strict, red");
  return tlp;
}

/** The value of a parameter; null when it is missing. Throws when it is given twice. */
function only(query: URLSearchParams, name: string): string | null {
  const [value, ...others] = query.getAll(name);
  if (others.length > 0) throw wrong(`The parameter ${name} must not be given twice`);
  return value ?? null;
}

function wrong(message: string): AppError {
  return new AppError("invalid_request", message);
}
