import type { Envelope, Exposure } from "../wire/envelope.ts";
import type { Atom, Evidence, EvidenceFinding } from "../wire/finding.ts";
import { canonicalJson } from "./canonical-json.ts";
import { corroborate } from "./corroboration.ts";
import { compareFindings, type Details, findingHash, severities } from "./finding.ts";
import type { Indicator } from "./indicator.ts";
import type { Answer, ScanId } from "./scan.ts";
import { sha256Hex } from "./sha256.ts";
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

/**
 * Builds the exposure envelope and its evidence from the answers of a scan. Deterministic: the same answers and
 * sightings give the same bytes, whatever the order of the answers (docs/contract.md 0.7, 7). `sightings` is keyed by
 * `findingHash`; a finding without a sighting has null times.
 */
export function project(
  scanId: ScanId,
  indicator: Indicator,
  answers: readonly Answer[],
  sightings: ReadonlyMap<string, Sighting>,
): Projection {
  const sourced = answers
    .flatMap((answer) => answer.findings.map((finding) => ({ answer, finding, ...answer })))
    .sort(
      (a, b) =>
        severities.indexOf(a.finding.severity) - severities.indexOf(b.finding.severity) ||
        b.confidence - a.confidence ||
        compareText(a.source, b.source) ||
        compareFindings(a.finding, b.finding),
    );
  const corroborations = corroborate(sourced);
  const atoms = sourced.map(({ answer, finding }, index): Atom => {
    const sighting = sightings.get(findingHash(answer.source, finding));
    return {
      source: answer.source,
      source_url: finding.sourceUrl,
      source_confidence: answer.confidence,
      source_tier: tierOf(answer.confidence),
      corroboration_count: corroborations[index]?.count ?? 0,
      corroborated_by: corroborations[index]?.by ?? [],
      category: finding.category,
      severity: finding.severity,
      title: finding.title,
      indicator_type: indicator.type,
      indicator_value: indicator.value,
      first_seen: sighting === undefined ? null : timestamp(sighting.firstSeenAt),
      last_seen: sighting === undefined ? null : timestamp(sighting.lastSeenAt),
    };
  });
  const exposure: Exposure = { findings: atoms, total: atoms.length, by_severity: countBySeverity(atoms) };
  const evidence = atoms.map((atom, index): EvidenceFinding => {
    const { answer, finding } = sourced[index] as (typeof sourced)[number];
    return {
      ...atom,
      subject: finding.subjects[0] ?? null,
      details: detailsOf(finding.details),
      answered_at: timestamp(answer.answeredAt),
      answer_sha256: answer.sha256,
    };
  });
  const tail: Omit<Envelope, keyof EnvelopeHead> = { indicator, exposure, disambiguation };
  const evidenceBody: Evidence = { request_id: scanId, findings: evidence };
  return {
    envelopeTail: JSON.stringify(tail).slice(1),
    evidence: JSON.stringify(evidenceBody),
    digest: digestOf(exposure),
  };
}

/** The whole envelope. GET and POST of one scan differ in `cache` only. */
export function envelopeText(scanId: ScanId, cache: CacheMember, envelopeTail: string): string {
  const head: EnvelopeHead = { request_id: scanId, status: "completed", cache };
  return `${JSON.stringify(head).slice(0, -1)},${envelopeTail}`;
}

/** SHA-256, 64 hex digits, over the canonical JSON of the findings of an answer. */
export function answerSha256(findings: Answer["findings"]): string {
  return sha256Hex(canonicalJson(findings));
}

function tierOf(confidence: number): Atom["source_tier"] {
  if (confidence >= 0.8) return "high";
  return confidence >= 0.6 ? "medium" : "low";
}

function countBySeverity(atoms: readonly Atom[]): Exposure["by_severity"] {
  const counts = severities.map((severity) => [severity, atoms.filter((atom) => atom.severity === severity).length]);
  return Object.fromEntries(counts.filter(([, count]) => count !== 0));
}

/** One record is shown as it is; several merged records are shown as a list. */
function detailsOf(details: readonly Details[]): Details {
  return details.length > 1 ? { records: details } : (details[0] ?? {});
}

function digestOf(exposure: Exposure): string {
  const findings = exposure.findings.map(({ first_seen, last_seen, ...stable }) => stable);
  return `sha256:${sha256Hex(canonicalJson({ ...exposure, findings }))}`;
}
