import { compareText, type Finding } from "./finding.ts";
import { generalSubjects } from "./subject.ts";

/** A finding together with who said it. */
export type SourcedFinding = { readonly source: string; readonly origin: string; readonly finding: Finding };

/** `count` of distinct other origins that agree; `by` names one source per origin, sorted, at most 5. */
export type Corroboration = { readonly count: number; readonly by: readonly string[] };

const maxNames = 5;

/**
 * For each finding, the other origins that agree with it, in the order of the input (CONTRACT.md 7.5).
 *
 * Two findings agree when they share a subject, whatever their category and severity; a general finding is also agreed
 * to by every finding of its kind, never the other way round. Where both state years of their leak, they need one in
 * common. Sources of one origin count once and never corroborate each other. Agreement is not transitive, so findings
 * are never grouped.
 */
export function corroborate(findings: readonly SourcedFinding[]): Corroboration[] {
  const bySubject = new Map<string, SourcedFinding[]>();
  const byCategory = new Map<string, SourcedFinding[]>();
  for (const sourced of findings) {
    for (const subject of sourced.finding.subjects) add(bySubject, subject, sourced);
    add(byCategory, sourced.finding.category, sourced);
  }
  return findings.map((sourced) => {
    const nameByOrigin = new Map<string, string>();
    for (const subject of sourced.finding.subjects) {
      collectWitnesses(sourced, bySubject.get(subject) ?? [], nameByOrigin);
      for (const category of categoriesOf(subject)) {
        collectWitnesses(sourced, byCategory.get(category) ?? [], nameByOrigin);
      }
    }
    const names = [...new Set(nameByOrigin.values())].sort(compareText);
    return { count: nameByOrigin.size, by: names.slice(0, maxNames) };
  });
}

function collectWitnesses(
  sourced: SourcedFinding,
  candidates: readonly SourcedFinding[],
  nameByOrigin: Map<string, string>,
): void {
  for (const candidate of candidates) {
    if (candidate.origin === sourced.origin || candidate.source === sourced.source) continue;
    if (!mayBeOfOneYear(sourced.finding, candidate.finding)) continue;
    const name = nameByOrigin.get(candidate.origin);
    if (name === undefined || compareText(candidate.source, name) < 0) {
      nameByOrigin.set(candidate.origin, candidate.source);
    }
  }
}

function categoriesOf(subject: string): readonly string[] {
  return Object.hasOwn(generalSubjects, subject) ? generalSubjects[subject as keyof typeof generalSubjects] : [];
}

function mayBeOfOneYear(a: Finding, b: Finding): boolean {
  return a.years.length === 0 || b.years.length === 0 || a.years.some((year) => b.years.includes(year));
}

function add(index: Map<string, SourcedFinding[]>, key: string, sourced: SourcedFinding): void {
  const list = index.get(key);
  if (list === undefined) index.set(key, [sourced]);
  else list.push(sourced);
}
