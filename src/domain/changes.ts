import type { ChangedAtom, Changes, NotComparable } from "../wire/changes.ts";
import type { Envelope } from "../wire/envelope.ts";
import type { Atom } from "../wire/finding.ts";
import type { StoredRun } from "./case.ts";
import type { ScanId } from "./scan.ts";
import { compareText } from "./text.ts";

/** The data of a finished scan that a comparison needs. */
export type ComparedScan = {
  readonly scanId: ScanId;
  /** By name of the source. */
  readonly runs: readonly StoredRun[];
  /** The envelope from its `indicator` member on; null for a failed scan. */
  readonly envelopeTail: string | null;
};

/**
 * The differences between two scans of one indicator (docs/pipeline.md 17.4); `since` is null when there is no earlier
 * one. Atoms are in the order of their envelope. Findings of a source that did not answer anew in both scans are left out:
 * such a source can neither show nor remove anything.
 */
export function findChanges(scan: ComparedScan, since: ComparedScan | null): Changes {
  const not_comparable = notComparable(scan, since);
  const excluded = new Set(not_comparable.map(({ source }) => source));
  const comparable = (one: ComparedScan) => atomsOf(one).filter(({ source }) => !excluded.has(source));
  const after = comparable(scan);
  const before = since === null ? [] : comparable(since);
  const afterById = new Map(after.map((atom) => [identityOf(atom), atom]));
  const beforeById = new Map(before.map((atom) => [identityOf(atom), atom]));
  return {
    request_id: scan.scanId,
    since: since?.scanId ?? null,
    new: after.filter((atom) => !beforeById.has(identityOf(atom))),
    gone: before.filter((atom) => !afterById.has(identityOf(atom))),
    changed: after.flatMap((atom): ChangedAtom[] => {
      const earlier = beforeById.get(identityOf(atom));
      return earlier !== undefined && isChanged(earlier, atom) ? [{ before: earlier, after: atom }] : [];
    }),
    not_comparable,
  };
}

/** Sources that cannot be compared, by name. When a source has a reason in both scans, that of the later scan counts. */
function notComparable(scan: ComparedScan, since: ComparedScan | null): NotComparable[] {
  const reasons = new Map<string, NotComparable["reason"]>();
  for (const one of since === null ? [scan] : [since, scan]) {
    for (const run of one.runs) {
      const reason = reasonOf(run, since !== null);
      if (reason !== null) reasons.set(run.source, reason);
    }
  }
  return [...reasons]
    .map(([source, reason]) => ({ source, reason }))
    .sort((one, other) => compareText(one.source, other.source));
}

/**
 * Why the answer of a source says nothing about a change. Without an earlier scan nothing is compared, and only a source
 * that did not answer is named.
 */
function reasonOf({ outcome, isReused, omittedCount }: StoredRun, isCompared: boolean): NotComparable["reason"] | null {
  if (outcome === "failed" || outcome === "skipped") return outcome;
  if (!isCompared) return null;
  if (isReused) return "reused";
  // A finding that the envelope leaves out would look gone.
  return omittedCount > 0 ? "omitted" : null;
}

function atomsOf({ envelopeTail }: ComparedScan): readonly Atom[] {
  if (envelopeTail === null) return [];
  return (JSON.parse(`{${envelopeTail}`) as Pick<Envelope, "exposure">).exposure.findings;
}

/** The identity of an atom (docs/contract.md 7.6). The indicator is the same in both scans. */
function identityOf({ source, category, title, source_url }: Atom): string {
  return JSON.stringify([source, category, title, source_url]);
}

/** Another severity, corroboration or confidence; times alone are no change. */
function isChanged(before: Atom, after: Atom): boolean {
  return (
    before.severity !== after.severity ||
    before.source_confidence !== after.source_confidence ||
    before.corroboration_count !== after.corroboration_count ||
    before.corroborated_by.join() !== after.corroborated_by.join()
  );
}
