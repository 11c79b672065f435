import { headline } from "../domain/headline.ts";
import type { Tlp } from "../domain/tlp.ts";
import type { CompletedCase, FailedSource } from "../wire/case.ts";
import type { Atom } from "../wire/finding.ts";
import { evidenceText } from "./evidence-text.ts";
import type { ExportOptions } from "./export-options.ts";
import { atomLabels, scanLabels } from "./labels.ts";
import { atomIds, objectId } from "./object-id.ts";

/**
 * OCSF events of class OSINT Inventory Info: one per finding, then one per failed source; a single event when there is
 * neither. The class has fields for a judgement about an indicator. xpose makes no judgement and leaves them empty. In
 * OCSF "confidence" is the certainty that something is bad, so it is always unknown here.
 */
export function ocsf(exported: CompletedCase, { tlp }: ExportOptions): string {
  const { exposure, failed_sources: failed } = exported;
  const common = commonOf(exported, tlp);
  const events = [
    ...exposure.findings.map((atom) => findingEvent(atom, common)),
    ...failed.map((failure) => failureEvent(failure, common)),
  ];
  return JSON.stringify(events.length === 0 ? [scanEvent(common)] : events);
}

/** OCSF has its own spelling of one marking. */
const ocsfTlp = {
  clear: "CLEAR",
  green: "GREEN",
  amber: "AMBER",
  "amber+strict": "AMBER STRICT",
  red: "RED",
} as const satisfies Record<Tlp, string>;

const severityIds = { low: 2, medium: 3, high: 4 } as const satisfies Record<Atom["severity"], number>;

type Common = ReturnType<typeof commonOf>;

function commonOf(exported: CompletedCase, tlp: Tlp) {
  const { request_id: requestId, digest, reach, finished_at: finishedAt } = exported;
  return {
    requestId,
    address: exported.indicator.value,
    tlp: ocsfTlp[tlp],
    time: Date.parse(finishedAt),
    labels: [...scanLabels(exported), `reach:${reach}`, `digest:${digest}`],
    headline: headline(exported),
  };
}

/** The members that differ between events. Undefined members are left out of the text. */
type Own = {
  readonly status: "Success" | "Failure";
  readonly code?: string;
  readonly detail?: string;
  readonly osint: object;
  readonly unmapped?: object;
};

/** The severity of the event itself: an event is an inventory record, not an alarm. */
function event(uid: string, { requestId, time, labels, headline: message }: Common, own: Own): object {
  // Written out, because with thousands of findings copying objects takes most of the time.
  return {
    activity_id: 2,
    activity_name: "Collect",
    category_uid: 5,
    category_name: "Discovery",
    class_uid: 5021,
    class_name: "OSINT Inventory Info",
    type_uid: 502102,
    type_name: "OSINT Inventory Info: Collect",
    time,
    severity_id: 1,
    severity: "Informational",
    metadata: {
      version: "1.5.0",
      uid,
      correlation_uid: requestId,
      product: { name: "xpose", vendor_name: "xpose" },
      labels,
    },
    actor: { app_name: "xpose" },
    message,
    status_id: own.status === "Success" ? 1 : 2,
    status: own.status,
    status_code: own.code,
    status_detail: own.detail,
    osint: [own.osint],
    unmapped: own.unmapped,
  };
}

function findingEvent(atom: Atom, common: Common): object {
  const { source_url: url, first_seen: first, last_seen: last } = atom;
  const osint = {
    type_id: 9,
    type: "Email Address",
    value: common.address,
    vendor_name: atom.source,
    src_url: url ?? undefined,
    category: atom.category,
    comment: atom.title,
    created_time: first === null ? undefined : Date.parse(first),
    modified_time: last === null ? undefined : Date.parse(last),
    severity_id: severityIds[atom.severity],
    labels: atomLabels(atom),
    tlp: common.tlp,
    confidence_id: 0,
  };
  // OCSF has no fields for the reliability of a source or for corroboration.
  const unmapped = { evidence: evidenceText(atom) };
  return event(atomIds(atom)("ocsf", common.requestId, "finding"), common, { status: "Success", osint, unmapped });
}

function failureEvent({ source, error }: FailedSource, common: Common): object {
  const detail = `could not look: ${source} (${error})`;
  const own: Own = { status: "Failure", code: error, detail, osint: addressOf(common, source) };
  return event(objectId("ocsf", common.requestId, "failed", source), common, own);
}

/** The event for a scan that found nothing and in which every asked source answered. */
function scanEvent(common: Common): object {
  const own: Own = { status: "Success", osint: addressOf(common, "xpose") };
  return event(objectId("ocsf", common.requestId, "scan"), common, own);
}

function addressOf({ address, tlp }: Common, vendor: string): object {
  return { type_id: 9, type: "Email Address", value: address, vendor_name: vendor, tlp, confidence_id: 0 };
}
