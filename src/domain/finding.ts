import { canonicalJson } from "./canonical-json.ts";
import { redactNamed, redactText, redactUrl } from "./redact.ts";
import { sha256Hex } from "./sha256.ts";
import { atOnce, firstInOrder, type Steps } from "./steps.ts";
import { subjectOf } from "./subject.ts";
import { cleanLine, compareText, cutLine, longText } from "./text.ts";

/** In descending order, the order in which atoms are sorted and counted (docs/contract.md 7.3, 7.6). */
export const severities = ["high", "medium", "low"] as const;
export type Severity = (typeof severities)[number];

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type Details = { readonly [key: string]: Json };

/** One statement of a source: the contract's atom before corroboration and sightings are added. */
export type Finding = {
  /** A category of docs/contract.md 7.4. Records of corpora and of `http` sources may name another slug. */
  readonly category: string;
  readonly severity: Severity;
  readonly title: string;
  readonly sourceUrl: string | null;
  /** Sorted, no duplicates. Domains of services, slugs of leaks, or general subjects such as `any-breach`. */
  readonly subjects: readonly string[];
  /** Years of the leak, sorted, no duplicates; empty when the source states none. */
  readonly years: readonly number[];
  /** Other data of the source, one entry per merged record, sorted by canonical JSON, no duplicates. */
  readonly details: readonly Details[];
};

/** At most this many findings per source and scan (docs/contract.md 11.3). */
export const maxFindingsPerAnswer = 1000;
const maxTitleLength = 255;
const maxUrlLength = 1024;
const maxCategoryLength = 50;
/** The number of characters of a subject that `subjectOf` reads. */
const maxSubjectTextLength = 1024;

/** The unchecked finding of a source; its text may be long, hostile or empty. */
export type FindingInput = {
  readonly category: string;
  readonly severity: Severity;
  readonly title: string;
  readonly sourceUrl?: string | null;
  /** A domain, the name of a service or leak, or a general subject. */
  readonly subject: string;
  /** The canonical address that was asked about: the only address that may stay in text. Absent = none may stay. */
  readonly asked?: string;
  readonly year?: number | null;
  readonly details?: Details;
  /** Maps the slug of a leak's name to its domain, for a source that knows more names than the built-in list. */
  readonly aliases?: ReadonlyMap<string, string>;
};

/**
 * Builds a finding and cleans its text: one line, bounded, well-formed. A URL becomes null when it is not http(s), or
 * when following it would disclose the asked address. Every source builds its findings here, so this is the place where
 * addresses of other people and everything that looks like a secret are removed (docs/pipeline.md 21.18, `redactText`).
 */
export function makeFinding(input: FindingInput): Finding {
  const { asked = null, details = {} } = input;
  return {
    category: categorySlug(redactText(input.category, null)) || "metadata",
    severity: input.severity,
    title: shownLine(input.title, maxTitleLength, asked) || "Exposure without a title",
    sourceUrl: shownUrl(input.sourceUrl ?? null, asked),
    // A subject names a site or a leak. It never holds an address, not even the asked address.
    subjects: [subjectOf(shownLine(input.subject, maxSubjectTextLength, null), input.aliases)],
    years: input.year == null ? [] : [input.year],
    details: Object.keys(details).length === 0 ? [] : [wellFormed(redactDetails(details, asked))],
  };
}

/** Like `oneLine`, but removes other addresses and secrets. Redacts before it cuts: half an address is not found. */
export function shownLine(text: string, maxLength: number, asked: string | null): string {
  const line = cleanLine(text, maxLength);
  // `cleanLine` reads only the start of very long text, so the last word may be half an address or a secret: drop it.
  const isLastWordHalf = text.length > maxLength * longText && line.length <= maxLength;
  return cutLine(redactText(isLastWordHalf ? line.replace(/\S+$/, "") : line, asked), maxLength).trim();
}

function shownUrl(text: string | null, asked: string | null): string | null {
  if (text === null || (asked !== null && holdsAddress(text, asked))) return null;
  return usableUrl(redactUrl(text, asked));
}

/** Also true for a URL that cannot be decoded, because its content is unknown. */
function holdsAddress(url: string, asked: string): boolean {
  try {
    return decodeURIComponent(url).toLowerCase().includes(asked);
  } catch {
    return true;
  }
}

function redactDetails(details: Details, asked: string | null): Details {
  const redact = (name: string, value: Json): Json => {
    if (typeof value === "string") return redactNamed(name, value, asked);
    if (value === null || typeof value !== "object") return value;
    if (isList(value)) return value.map((item) => redact(name, item));
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redact(key, inner)]));
  };
  return redact("", details) as Details;
}

function isList(value: readonly Json[] | Details): value is readonly Json[] {
  return Array.isArray(value);
}

/** A category as a slug of a-z, 0-9, - and _: `Credential Leak` -> `credential_leak`. May be empty. */
export function categorySlug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "_")
    .replace(/^[_-]+/, "")
    .slice(0, maxCategoryLength)
    .replace(/[_-]+$/, "");
}

/** An absolute http(s) URL of at most 1024 characters and without credentials, else null. */
export function usableUrl(text: string | null): string | null {
  const url = text?.trim() ?? "";
  if (url.length === 0 || url.length > maxUrlLength || !/^https?:\/\//i.test(url)) return null;
  if (/[\p{Cc}\p{Z}\p{Bidi_Control}]/u.test(url) || !url.isWellFormed()) return null;
  const parsed = URL.parse(url);
  return parsed !== null && parsed.hostname !== "" && parsed.username === "" && parsed.password === "" ? url : null;
}

/** Replaces unpaired surrogates by U+FFFD, also in keys: RFC 8785 cannot encode them. */
function wellFormed(value: Details): Details {
  const text = JSON.stringify(value).replaceAll(/\\\\|\\ud[89a-f][0-9a-f]{2}/g, (match) =>
    match === "\\\\" ? match : "\\ufffd",
  );
  return JSON.parse(text) as Details;
}

/** The title of a finding in a named leak, with the year unless the name contains it (docs/contract.md 11.2a). */
export function leakTitle(name: string, year: number | null): string {
  const isYearSaid = year === null || new RegExp(`(?<!\\d)${year}(?!\\d)`).test(name);
  return isYearSaid ? `Present in the ${name} breach` : `Present in the ${name} ${year} breach`;
}

/** Maps a source's severity to ours: `critical` is high; `info`, null and others are low (docs/contract.md 7.4). */
export function parseSeverity(word: string | null): Severity {
  const folded = word?.trim().toLowerCase() ?? "";
  if (folded === "critical") return "high";
  return severities.find((severity) => severity === folded) ?? "low";
}

/**
 * Merges equal findings of one source (docs/contract.md 7.6): unites subjects, years and details, and keeps the highest
 * severity. The result is sorted and does not depend on the order or grouping of the input.
 */
export function mergeFindings(findings: readonly Finding[]): Finding[] {
  return atOnce(mergeSteps(findings, Number.POSITIVE_INFINITY)).kept;
}

/** Merges and caps the findings of an answer in steps: a test address has tens of thousands. See `mergeFindings`. */
export function* cappedSteps(findings: readonly Finding[]): Steps<Finding[]> {
  const { kept, count } = yield* mergeSteps(findings, maxFindingsPerAnswer);
  return tellOmitted(kept, count - kept.length);
}

const groupedPerStep = 250;
const unitedPerStep = 50;

/** The first `maxCount` of the merged findings, and the count of all. Only findings that are kept are united. */
function* mergeSteps(findings: readonly Finding[], maxCount: number): Steps<{ kept: Finding[]; count: number }> {
  const byIdentity = new Map<string, Finding[]>();
  for (const [index, finding] of findings.entries()) {
    const identity = identityOf(finding);
    const equal = byIdentity.get(identity);
    if (equal === undefined) byIdentity.set(identity, [finding]);
    else equal.push(finding);
    if (index % groupedPerStep === 0) yield;
  }
  const groups = [...byIdentity.values()].map((equal) => ({
    ...(equal[0] as Finding),
    severity: highest(equal),
    equal,
  }));
  const kept: Finding[] = [];
  for (const { equal } of yield* firstInOrder(groups, maxCount, compareFindings)) {
    kept.push(yield* uniteSteps(equal));
    if (kept.length % unitedPerStep === 0) yield;
  }
  return { kept, count: groups.length };
}

function highest(equal: readonly Finding[]): Severity {
  return severities.find((severity) => equal.some((finding) => finding.severity === severity)) ?? "low";
}

function* uniteSteps(equal: readonly Finding[]): Steps<Finding> {
  const first = equal[0] as Finding;
  const details = new Set<string>();
  for (const [index, finding] of equal.entries()) {
    for (const record of finding.details) details.add(canonicalJson(record));
    if (index % groupedPerStep === groupedPerStep - 1) yield;
  }
  return {
    category: first.category,
    severity: highest(equal),
    title: first.title,
    sourceUrl: first.sourceUrl,
    subjects: [...new Set(equal.flatMap((finding) => finding.subjects))].sort(compareText),
    years: [...new Set(equal.flatMap((finding) => finding.years))].sort((a, b) => a - b),
    details: [...details].sort(compareText).map((text) => JSON.parse(text) as Details),
  };
}

/** Replaces every subject that `aliases` (slug of a name -> domain) knows by its domain. */
export function resolveSubjects(findings: readonly Finding[], aliases: ReadonlyMap<string, string>): Finding[] {
  return findings.map((finding) => {
    const subjects = new Set(finding.subjects.map((subject) => aliases.get(subject) ?? subject));
    return { ...finding, subjects: [...subjects].sort(compareText) };
  });
}

/** Keeps the first 1000 merged findings. The details of the first finding state how many were left out. */
export function capFindings(merged: readonly Finding[]): Finding[] {
  return tellOmitted(merged.slice(0, maxFindingsPerAnswer), merged.length - maxFindingsPerAnswer);
}

function tellOmitted(kept: readonly Finding[], omittedCount: number): Finding[] {
  const [first, ...rest] = kept;
  if (first === undefined || omittedCount <= 0) return [...kept];
  return [{ ...first, details: [...first.details, { omitted_findings: omittedCount }] }, ...rest];
}

/** Two findings of one source are equal when their identities are. The indicator is the same throughout a scan. */
type Identity = Pick<Finding, "category" | "title" | "sourceUrl">;

function identityOf(finding: Identity): string {
  return JSON.stringify([finding.category, finding.title, finding.sourceUrl]);
}

/** The key of a finding in the ledger: SHA-256, 64 hex digits, of (source, category, title, source_url). */
export function findingHash(source: string, finding: Identity): string {
  return sha256Hex(`${source}\0${identityOf(finding)}`);
}

/** The order of docs/contract.md 7.6 among findings of one source. */
export function compareFindings(a: Finding, b: Finding): number {
  return (
    severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
    compareText(a.category, b.category) ||
    compareText(a.title, b.title) ||
    compareNullLast(a.sourceUrl, b.sourceUrl)
  );
}

function compareNullLast(a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return compareText(a, b);
}
