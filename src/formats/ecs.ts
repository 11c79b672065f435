import { headline } from "../domain/headline.ts";
import type { CompletedCase, FailedSource } from "../wire/case.ts";
import type { Atom } from "../wire/finding.ts";
import type { ExportOptions } from "./export-options.ts";
import { atomIds, objectId } from "./object-id.ts";
import { skippedSources } from "./skipped-sources.ts";

/** The version of the Elastic Common Schema whose fields are used. */
const ecsVersion = "8.11.0";

/**
 * Lines of JSON in the Elastic Common Schema: one per finding, then one per failed source; a single line when there is
 * neither. Never sets `threat.indicator`: detection rules match that field and would raise an alarm about the address
 * of the victim.
 */
export function ecs(exported: CompletedCase, { tlp }: ExportOptions): string {
  const { exposure, failed_sources: failed } = exported;
  const common = { exported, tail: tailOf(exported, tlp) };
  const lines = [
    ...exposure.findings.map((atom) => findingLine(atom, common)),
    ...failed.map((failure) => failureLine(failure, common)),
  ];
  const all = lines.length === 0 ? [scanLine(common)] : lines;
  return `${all.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

type Tail = ReturnType<typeof tailOf>;
type Common = { readonly exported: CompletedCase; readonly tail: Tail };

/** The fields that all lines share. */
function tailOf(exported: CompletedCase, tlp: string) {
  const { indicator, request_id, digest, partial, reach, failed_sources: failed } = exported;
  const text = headline(exported);
  return {
    message: text,
    user: { email: indicator.value },
    related: { user: [indicator.value] },
    labels: { tlp },
    scan: {
      request_id,
      digest,
      partial,
      reach,
      failed_sources: failed.map(({ source }) => source),
      skipped_sources: skippedSources(exported),
      headline: text,
    },
  };
}

/** Undefined members are left out of the text. */
type Event = {
  readonly id: string;
  readonly outcome: "success" | "failure";
  readonly provider: string;
  readonly reference?: string | undefined;
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly reason?: string;
};

function line(at: string, event: Event, { scan, message, user, related, labels }: Tail, finding?: object): object {
  // Written out, because with thousands of findings copying objects takes most of the time.
  return {
    "@timestamp": ecsTime(at),
    ecs: { version: ecsVersion },
    event: {
      id: event.id,
      kind: "enrichment",
      module: "xpose",
      dataset: "xpose.exposure",
      outcome: event.outcome,
      provider: event.provider,
      reference: event.reference,
      start: event.start,
      end: event.end,
      reason: event.reason,
    },
    message,
    user,
    related,
    labels,
    xpose: finding === undefined ? scan : { ...scan, finding },
  };
}

function findingLine(atom: Atom, { exported, tail }: Common): object {
  const { source, source_url: url, first_seen: first, last_seen: last } = atom;
  const event: Event = {
    id: atomIds(atom)("ecs", exported.request_id),
    outcome: "success",
    provider: source,
    reference: url ?? undefined,
    start: first === null ? undefined : ecsTime(first),
    end: last === null ? undefined : ecsTime(last),
  };
  // The finding without the address, which is in `user.email`.
  const finding = { ...atom, indicator_type: undefined, indicator_value: undefined };
  return line(last ?? exported.finished_at, event, tail, finding);
}

function failureLine({ source, error }: FailedSource, { exported, tail }: Common): object {
  const id = objectId("ecs", exported.request_id, "failed", source);
  return line(exported.finished_at, { id, outcome: "failure", provider: source, reason: error }, tail);
}

/** The line for a scan that found nothing and in which every asked source answered. */
function scanLine({ exported, tail }: Common): object {
  const id = objectId("ecs", exported.request_id, "scan");
  return line(exported.finished_at, { id, outcome: "success", provider: "xpose" }, tail);
}

function ecsTime(time: string): string {
  return `${time.slice(0, 19)}.000Z`;
}
