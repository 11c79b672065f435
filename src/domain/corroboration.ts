import type { Finding } from "./finding.ts";
import { atOnce, type Steps } from "./steps.ts";
import { generalSubjects } from "./subject.ts";
import { compareText } from "./text.ts";

/** A finding with its source. A source has one origin. */
export type SourcedFinding = { readonly source: string; readonly origin: string; readonly finding: Finding };

/** `count` is the number of other origins that agree; `by` names one source per origin, sorted, at most 5. */
export type Corroboration = { readonly count: number; readonly by: readonly string[] };

const maxNames = 5;

/**
 * Finds the other origins that agree with each finding, in the order of the input (docs/contract.md 7.5).
 *
 * Two findings agree when they share a subject, whatever their category and severity. A finding with a general subject
 * is also corroborated by every finding of its kind, but never corroborates those. If both state years of their leak,
 * they must have a year in common. Sources of one origin count once and never corroborate each other. Agreement is not
 * transitive, so findings are never grouped.
 *
 * An index replaces a comparison in pairs: a thousand general findings from each of five sources are millions of pairs.
 */
export function corroborate(findings: readonly SourcedFinding[]): Corroboration[] {
  return atOnce(corroborateSteps(findings, findings.length));
}

const perStep = 100;

/** The same for the first `count` findings only: all are witnesses. */
export function* corroborateSteps(findings: readonly SourcedFinding[], count: number): Steps<Corroboration[]> {
  const witnesses: Witnesses = new Map();
  for (const [index, sourced] of findings.entries()) {
    if (index % perStep === perStep - 1) yield;
    for (const topic of [...sourced.finding.subjects, categoryTopic(sourced.finding.category)]) {
      for (const year of yearsStated(sourced.finding)) addWitness(witnesses, `${topic} ${year}`, sourced);
    }
  }
  const corroborations: Corroboration[] = [];
  for (const sourced of findings.slice(0, count)) {
    corroborations.push(agreementOn(sourced, witnesses));
    if (corroborations.length % perStep === 0) yield;
  }
  return corroborations;
}

function agreementOn({ origin, finding }: SourcedFinding, witnesses: Witnesses): Corroboration {
  const nameByOrigin: NameByOrigin = new Map();
  for (const topic of finding.subjects.flatMap((subject) => [subject, ...generalTopics(subject)])) {
    for (const year of yearsAccepted(finding)) {
      for (const [other, name] of witnesses.get(`${topic} ${year}`) ?? []) {
        if (other !== origin) keepFirstName(nameByOrigin, other, name);
      }
    }
  }
  const names = [...new Set(nameByOrigin.values())].sort(compareText);
  return { count: nameByOrigin.size, by: names.slice(0, maxNames) };
}

/** Origin -> the alphabetically first of its sources. */
type NameByOrigin = Map<string, string>;
/** `<topic> <year>` -> the origins that have a finding about it. A topic is a subject or `category:<category>`. */
type Witnesses = Map<string, NameByOrigin>;

/** Subjects never hold a colon, so a subject is never mistaken for a category. */
function categoryTopic(category: string): string {
  return `category:${category}`;
}

/** The topics whose findings corroborate a general subject; empty for any other subject. */
function generalTopics(subject: string): string[] {
  return (kindsOfGeneral.get(subject) ?? []).map(categoryTopic);
}

const kindsOfGeneral: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(generalSubjects));

function yearsStated(finding: Finding): readonly (number | "any" | "none")[] {
  return ["any", ...(finding.years.length === 0 ? (["none"] as const) : finding.years)];
}

/** A finding without a year is corroborated by findings of any year; one with years, by the same years or no year. */
function yearsAccepted(finding: Finding): readonly (number | "any" | "none")[] {
  return finding.years.length === 0 ? ["any"] : ["none", ...finding.years];
}

function addWitness(witnesses: Witnesses, key: string, { origin, source }: SourcedFinding): void {
  const nameByOrigin = witnesses.get(key);
  if (nameByOrigin === undefined) witnesses.set(key, new Map([[origin, source]]));
  else keepFirstName(nameByOrigin, origin, source);
}

function keepFirstName(nameByOrigin: NameByOrigin, origin: string, name: string): void {
  const known = nameByOrigin.get(origin);
  if (known === undefined || compareText(name, known) < 0) nameByOrigin.set(origin, name);
}
