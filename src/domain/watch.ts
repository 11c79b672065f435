import type { Atom } from "../wire/finding.ts";
import { AppError } from "./error.ts";
import type { Severity } from "./finding.ts";
import { type Indicator, parseIndicator } from "./indicator.ts";
import type { WorkspaceId } from "./workspace.ts";

/** Indicators in one change of a watch list (docs/pipeline.md 20.2). */
export const maxPerChange = 1000;
const maxLabelLength = 64;

/** An indicator of a change that cannot be watched; `valueIndex` is its place in the request, from 0. */
export type InvalidValue = { readonly valueIndex: number; readonly error: AppError };

/** A change of a watch list, checked. `indicators` are canonical, without repeats; `repeatedCount` tells how many were. */
export type WatchChange = {
  readonly indicators: readonly Indicator[];
  readonly label: string | null;
  readonly invalid: readonly InvalidValue[];
  readonly repeatedCount: number;
};

/** The revision of each corpus that a workspace sees, by name. */
export type CorpusRevisions = Readonly<Record<string, string>>;

/** Why all addresses of a list are checked (docs/pipeline.md 34). */
export type WatchTrigger = "corpus" | "interval";

/** Addresses looked up, with a finding, with a new finding, not looked up. */
export type RoundCounts = {
  readonly checked: number;
  readonly matched: number;
  readonly new: number;
  readonly failed: number;
};

export const noCounts: RoundCounts = { checked: 0, matched: 0, new: 0, failed: 0 };

/** Reads the body of a change. Throws `invalid_request`; a value that is no address is told in `invalid`. */
export function parseWatchChange(body: unknown): WatchChange {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new AppError("invalid_request", "The body must be an object with indicators");
  }
  const { indicators, label = null } = body as { indicators?: unknown; label?: unknown };
  if (!Array.isArray(indicators) || indicators.length < 1 || indicators.length > maxPerChange) {
    throw new AppError("invalid_request", `The indicators must be a list of 1 to ${maxPerChange} indicators`);
  }
  return { ...parseIndicators(indicators), label: parseLabel(label) };
}

/** A label of 1 to 64 characters without control characters; null for none. Throws `invalid_request`. */
export function parseLabel(label: unknown): string | null {
  if (label === null) return null;
  const text = typeof label === "string" ? label.normalize("NFC") : "";
  const length = [...text].length;
  if (length < 1 || length > maxLabelLength || /\p{Cc}/u.test(text) || !text.isWellFormed()) {
    throw new AppError("invalid_request", `The label must be text of 1 to ${maxLabelLength} characters`);
  }
  return text;
}

export function parseIndicators(values: readonly unknown[]): Omit<WatchChange, "label"> {
  const indicators = new Map<string, Indicator>();
  const invalid: InvalidValue[] = [];
  for (const [valueIndex, one] of values.entries()) {
    try {
      if (typeof one !== "object" || one === null) {
        throw new AppError("invalid_request", "An indicator must be an object with type and value");
      }
      const { type, value } = one as { type?: unknown; value?: unknown };
      const indicator = parseIndicator(type, value);
      indicators.set(`${indicator.type}\0${indicator.value}`, indicator);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      invalid.push({ valueIndex, error });
    }
  }
  const repeatedCount = values.length - invalid.length - indicators.size;
  return { indicators: [...indicators.values()], invalid, repeatedCount };
}

/** Names of the corpora that are new, gone or changed, ascending. */
export function changedCorpora(before: CorpusRevisions, after: CorpusRevisions): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).sort();
}

/** A finding as a watch list holds it. `hash` is its `findingHash`, which the source is a part of. */
export type HeldFinding = { readonly source: string; readonly hash: string; readonly severity: Severity };

/** A finding of a check. Its atom has no times when they are to be taken from the ledger. */
export type FoundFinding = HeldFinding & { readonly atom: Atom };

/** What a check brought. Sources that failed are in neither list. */
export type CheckedSources<Found extends HeldFinding> = {
  /** Findings of the sources in `answered`. */
  readonly found: readonly Found[];
  readonly answered: ReadonlySet<string>;
  /**
   * All sources that the workspace has, those that failed too: a source that is gone holds nothing any more. Null when the
   * check does not know them.
   */
  readonly present: ReadonlySet<string> | null;
  /** Sources whose answer was cut: what is not among their findings may still be there. */
  readonly cut: ReadonlySet<string>;
};

/**
 * Compares a check with what the one before held. A source that failed neither adds nor removes anything
 * (docs/pipeline.md 20.4).
 */
export function compareCheck<Found extends HeldFinding>(
  held: readonly HeldFinding[],
  { found, answered, present, cut }: CheckedSources<Found>,
): { readonly fresh: Found[]; readonly changed: Found[]; readonly gone: HeldFinding[] } {
  const before = new Map(held.map((one) => [one.hash, one]));
  const now = new Map(found.filter(({ source }) => answered.has(source)).map((one) => [one.hash, one]));
  const isGone = ({ source, hash }: HeldFinding) =>
    present?.has(source) === false || (answered.has(source) && !cut.has(source) && !now.has(hash));
  return {
    fresh: [...now.values()].filter(({ hash }) => !before.has(hash)),
    changed: [...now.values()].filter(({ hash, severity }) => (before.get(hash)?.severity ?? severity) !== severity),
    gone: held.filter(isGone),
  };
}

/** An hour of failures makes a source failing (docs/pipeline.md 20.4). */
const failingAfterMs = 3_600_000;

/** Since when a source fails, and whether an event told it; null for a source that answered last. */
export type Failing = { readonly since: Date; readonly isTold: boolean };

/** How a source stands after a check that asked it, and the event that this makes. */
export function nextFailing(
  before: Failing | null,
  hasFailed: boolean,
  now: Date,
): { readonly failing: Failing | null; readonly event: "source.failing" | "source.recovered" | null } {
  if (!hasFailed) return { failing: null, event: before?.isTold === true ? "source.recovered" : null };
  const since = before?.since ?? now;
  const isTold = before?.isTold ?? false;
  const isDue = !isTold && now.getTime() - since.getTime() >= failingAfterMs;
  return { failing: { since, isTold: isTold || isDue }, event: isDue ? "source.failing" : null };
}

/**
 * The first scan of an address that joined a list: a share of the interval that its number decides, so that the scans of
 * many spread evenly over it. Multiples of the golden ratio leave no gaps, however many there are.
 */
export function firstScanAt(number: number, now: Date, intervalMs: number): Date {
  const share = (number * 0.618_033_988_749_895) % 1;
  return new Date(now.getTime() + Math.floor(share * intervalMs));
}

/** The scan after the one that was due at `dueAt`: it keeps its place in the interval unless it is late by a whole one. */
export function nextScanAt(dueAt: Date, now: Date, intervalMs: number): Date {
  const next = dueAt.getTime() + intervalMs;
  return new Date(next > now.getTime() ? next : now.getTime() + intervalMs);
}

/** What names a sealed address or event: who owns it and what it is. It is authenticated and not stored. */
export function sealContext(workspaceId: WorkspaceId, name: string): string {
  return `${workspaceId}\0${name}`;
}
