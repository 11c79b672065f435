import type { Envelope, Exposure } from "../wire/envelope.ts";
import type { Atom, EvidenceFinding } from "../wire/finding.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Corroboration, corroborateSteps, type SourcedFinding } from "./corroboration.ts";
import { compareFindings, type Details, type Finding, findingHash, severities } from "./finding.ts";
import type { Indicator } from "./indicator.ts";
import type { Answer, ScanId } from "./scan.ts";
import { openSha256 } from "./sha256.ts";
import type { Steps } from "./steps.ts";
import { compareText } from "./text.ts";
import { timestamp } from "./time.ts";

/** When a workspace first and last saw a finding (docs/contract.md 7.4). */
export type Sighting = { readonly firstSeenAt: Date; readonly lastSeenAt: Date };

/** `hit` on a POST that finds a fresh result, `miss_scan_complete` on every GET and on a POST that waited. */
export type CacheMember = Envelope["cache"];

/** The stored result of a completed scan: serialized already, so that a hit builds nothing. */
export type Projection = {
  /** The envelope from its `indicator` member on; `envelopeText` adds the members before it. */
  readonly envelopeTail: string;
  /** Findings in the envelope. */
  readonly total: number;
  /** The whole body of `/evidence`. */
  readonly evidence: string;
  /** `sha256:<hex>` over the RFC 8785 form of the exposure without its observation times (docs/contract.md 7.7). */
  readonly digest: string;
};

/** docs/contract.md 7.1. */
export const disambiguation: Envelope["disambiguation"] = {
  required: true,
  reason:
    "person-resolution gated pending employer-domain disambiguation (R7); v1 returns indicator exposure only, no identity attribution",
};

/** The members before the stored part. Only `cache` differs between a hit and a poll of one scan. */
type EnvelopeHead = Pick<Envelope, "request_id" | "status" | "cache">;

/** A finding that an envelope shows. `hash` is its key in the ledger. */
export type ShownFinding = {
  readonly answer: Answer;
  readonly finding: Finding;
  readonly hash: string;
  readonly corroboration: Corroboration;
};

/** The findings that an envelope shows, in order, and the number of findings that it leaves out, by source. */
export type Choice = { readonly shown: readonly ShownFinding[]; readonly omitted: ReadonlyMap<string, number> };

const perStep = 25;

/**
 * Chooses the first `maxCount` findings in the order of docs/contract.md 7.6, after corroboration among all of
 * them (docs/pipeline.md 16.6). The choice does not depend on the order of the answers.
 */
export function* chooseSteps(answers: readonly Answer[], maxCount: number): Steps<Choice> {
  const sourced = yield* orderSteps(answers);
  const corroborations = yield* corroborateSteps(sourced, Math.min(maxCount, sourced.length));
  const shown: ShownFinding[] = [];
  for (const [index, corroboration] of corroborations.entries()) {
    const { answer, finding } = sourced[index] as (typeof sourced)[number];
    shown.push({ answer, finding, corroboration, hash: findingHash(answer.source, finding) });
    if (index % perStep === perStep - 1) yield;
  }
  const omitted = new Map<string, number>();
  for (const { source } of sourced.slice(shown.length)) omitted.set(source, (omitted.get(source) ?? 0) + 1);
  return { shown, omitted };
}

type OrderedFinding = SourcedFinding & { readonly answer: Answer };

/** All findings by severity, then confidence and name of the source, then the order within an answer. */
function* orderSteps(answers: readonly Answer[]): Steps<OrderedFinding[]> {
  const bySource = [...answers].sort((a, b) => b.confidence - a.confidence || compareText(a.source, b.source));
  const ordered = new Map<string, OrderedFinding[]>(severities.map((severity) => [severity, []]));
  for (const answer of bySource) {
    for (const finding of [...answer.findings].sort(compareFindings)) {
      ordered.get(finding.severity)?.push({ answer, finding, source: answer.source, origin: answer.origin });
    }
    yield;
  }
  return [...ordered.values()].flat();
}

/**
 * Projects the chosen findings to the exposure envelope and its evidence: same findings and sightings, same bytes
 * (docs/contract.md 0.7, 7). `sightings` is keyed by `findingHash`; a finding without one has null times. Each atom becomes
 * text once; the texts are joined to the same bytes that JSON.stringify gives for the whole.
 */
export function* projectSteps(
  scanId: ScanId,
  indicator: Indicator,
  shown: readonly ShownFinding[],
  sightings: ReadonlyMap<string, Sighting>,
): Steps<Projection> {
  const counts = JSON.stringify(countBySeverity(shown));
  const atomTexts: string[] = [];
  const evidenceTexts: string[] = [];
  const digest = openSha256();
  // The RFC 8785 form has its members by name.
  digest.add(`{"by_severity":${canonicalJson(JSON.parse(counts))},"findings":[`);
  for (const [index, one] of shown.entries()) {
    const { answer, finding } = one;
    const atom = atomOf(one, indicator, sightings.get(one.hash));
    const { first_seen, last_seen, ...stable } = atom;
    const more: Omit<EvidenceFinding, keyof Atom> = {
      subject: finding.subjects[0] ?? null,
      details: detailsOf(finding.details),
      answered_at: timestamp(answer.answeredAt),
      answer_sha256: answer.sha256,
    };
    const text = JSON.stringify(atom);
    atomTexts.push(text);
    evidenceTexts.push(`${text.slice(0, -1)},${JSON.stringify(more).slice(1)}`);
    digest.add(`${index === 0 ? "" : ","}${canonicalJson(stable)}`);
    if (index % perStep === perStep - 1) yield;
  }
  digest.add(`],"total":${shown.length}}`);
  const exposure = `{"findings":[${atomTexts.join(",")}],"total":${shown.length},"by_severity":${counts}}`;
  const rest = `"exposure":${exposure},"disambiguation":${JSON.stringify(disambiguation)}}`;
  return {
    envelopeTail: `"indicator":${JSON.stringify(indicator)},${rest}`,
    evidence: `{"request_id":"${scanId}","findings":[${evidenceTexts.join(",")}]}`,
    digest: `sha256:${digest.hex()}`,
    total: shown.length,
  };
}

/** The atom of a finding; its times are null without a sighting. */
export function atomOf(
  { answer, finding, corroboration }: ShownFinding,
  indicator: Indicator,
  sighting: Sighting | undefined,
): Atom {
  return {
    source: answer.source,
    source_url: finding.sourceUrl,
    source_confidence: answer.confidence,
    source_tier: tierOf(answer.confidence),
    corroboration_count: corroboration.count,
    corroborated_by: corroboration.by,
    category: finding.category,
    severity: finding.severity,
    title: finding.title,
    indicator_type: indicator.type,
    indicator_value: indicator.value,
    first_seen: sighting === undefined ? null : timestamp(sighting.firstSeenAt),
    last_seen: sighting === undefined ? null : timestamp(sighting.lastSeenAt),
  };
}

/** The whole envelope. GET and POST of one scan differ in `cache` only. */
export function envelopeText(scanId: ScanId, cache: CacheMember, envelopeTail: string): string {
  const head: EnvelopeHead = { request_id: scanId, status: "completed", cache };
  return `${JSON.stringify(head).slice(0, -1)},${envelopeTail}`;
}

/** SHA-256, 64 hex digits, over the canonical JSON of what a source answered. */
export function* answerSha256Steps(findings: Answer["findings"]): Steps<string> {
  const hash = openSha256();
  hash.add("[");
  for (const [index, finding] of findings.entries()) {
    hash.add(`${index === 0 ? "" : ","}${canonicalJson(finding)}`);
    if (index % perStep === perStep - 1) yield;
  }
  hash.add("]");
  return hash.hex();
}

function tierOf(confidence: number): Atom["source_tier"] {
  if (confidence >= 0.8) return "high";
  return confidence >= 0.6 ? "medium" : "low";
}

function countBySeverity(shown: readonly ShownFinding[]): Exposure["by_severity"] {
  const counts = severities.map((severity) => [
    severity,
    shown.filter(({ finding }) => finding.severity === severity).length,
  ]);
  return Object.fromEntries(counts.filter(([, count]) => count !== 0));
}

/** One record is shown as it is; several merged records are shown as a list. */
function detailsOf(details: readonly Details[]): Details {
  return details.length > 1 ? { records: details } : (details[0] ?? {});
}
