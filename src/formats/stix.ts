import { canonicalJson } from "../domain/canonical-json.ts";
import { headline } from "../domain/headline.ts";
import type { Tlp } from "../domain/tlp.ts";
import type { CompletedCase } from "../wire/case.ts";
import type { Atom } from "../wire/finding.ts";
import { evidenceText } from "./evidence-text.ts";
import type { ExportOptions } from "./export-options.ts";
import { atomLabels, scanLabels } from "./labels.ts";
import { atomIds, objectId } from "./object-id.ts";
import { uri } from "./uri.ts";
import { uuidBytes, uuidV5 } from "./uuid-v5.ts";

/**
 * A STIX 2.1 bundle. It states observations and never a pattern: it contains no `indicator`, no `sighting`, no
 * `relationship`, and nothing about a person. The id of an object depends only on its content, so a repeated import, or
 * one from another appliance, updates the object.
 */
export function stix(exported: CompletedCase, { tlp }: ExportOptions): string {
  const { request_id: requestId, digest, indicator, finished_at: finishedAt } = exported;
  const marking = markingOf(tlp);
  const addressId = `email-addr--${uuidV5(observableNamespace, canonicalJson({ value: indicator.value }))}`;
  const common: Common = { addressId, markings: [marking.id], scanEnd: stixTime(finishedAt) };
  const { markings } = common;
  const address = {
    type: "email-addr",
    spec_version: "2.1",
    id: addressId,
    value: indicator.value,
    object_marking_refs: markings,
  };
  const findings = exported.exposure.findings.flatMap((atom) => findingObjects(atom, common));
  return JSON.stringify({
    type: "bundle",
    id: `bundle--${objectId("bundle", requestId, digest, tlp)}`,
    objects: [marking, appliance, address, ...findings, scanNote(exported, common)],
  });
}

/** The namespace for ids of observables (STIX 2.1, 2.9). All products give an address the same id. */
const observableNamespace = uuidBytes("00abedb4-aa42-466c-9c01-fed23315a9b7");

type Common = { readonly addressId: string; readonly markings: readonly string[]; readonly scanEnd: string };

/** The ids of the OASIS objects for TLP 2.0 (https://github.com/oasis-open/cti-stix-common-objects). */
const markingIds = {
  clear: "94868c89-83c2-464b-929b-a1a8aa3c8487",
  green: "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
  amber: "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
  "amber+strict": "939a9414-2ddd-4d32-a0cd-375ea402b003",
  red: "e828b379-4e03-4974-9ac4-e53a884c97c1",
} as const satisfies Record<Tlp, string>;

const tlpExtension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";

/** TLP 2.0 is an extension. A `definition_type` would make this a marking of TLP 1. */
function markingOf(tlp: Tlp) {
  return {
    type: "marking-definition",
    spec_version: "2.1",
    id: `marking-definition--${markingIds[tlp]}`,
    created: "2022-10-01T00:00:00.000Z",
    name: `TLP:${tlp.toUpperCase()}`,
    extensions: { [tlpExtension]: { extension_type: "property-extension", tlp_2_0: tlp } },
  };
}

/** The same on every installation, so that two appliances of one SOC do not import everything twice. */
const appliance = {
  type: "identity",
  spec_version: "2.1",
  id: `identity--${objectId("identity")}`,
  created: "2026-01-01T00:00:00.000Z",
  modified: "2026-01-01T00:00:00.000Z",
  name: "xpose",
  identity_class: "system",
};

function findingObjects(atom: Atom, { addressId, markings, scanEnd }: Common): readonly object[] {
  const idOf = atomIds(atom);
  const { first, last } = seenTimes(atom, scanEnd);
  const { source, source_url: url } = atom;
  const observed = {
    type: "observed-data",
    spec_version: "2.1",
    id: `observed-data--${idOf("observed")}`,
    created_by_ref: appliance.id,
    created: first,
    modified: last,
    first_observed: first,
    last_observed: last,
    number_observed: 1,
    object_refs: [addressId],
    object_marking_refs: markings,
  };
  const note = {
    type: "note",
    spec_version: "2.1",
    id: `note--${idOf("finding")}`,
    created_by_ref: appliance.id,
    created: first,
    modified: last,
    abstract: atom.title,
    content: evidenceText(atom),
    authors: [source],
    // In STIX, confidence is the correctness of the data. The content explains that this value is the reliability of
    // the source.
    confidence: Math.round(atom.source_confidence * 100),
    labels: atomLabels(atom),
    // Left out of the text when undefined.
    external_references: url === null ? undefined : [{ source_name: source, url: uri(url) }],
    object_refs: [observed.id, addressId],
    object_marking_refs: markings,
  };
  return [observed, note];
}

/** `modified` changes with each answer and is never before `created`, which never changes (STIX 2.1, 3.6.2). */
function seenTimes({ first_seen, last_seen }: Atom, scanEnd: string): { first: string; last: string } {
  const first = first_seen ?? last_seen;
  if (first === null) return { first: scanEnd, last: scanEnd };
  const last = last_seen ?? first;
  return { first: stixTime(first), last: stixTime(last < first ? first : last) };
}

function scanNote(exported: CompletedCase, { addressId, markings, scanEnd }: Common): object {
  const { request_id: requestId, digest, disambiguation } = exported;
  return {
    type: "note",
    spec_version: "2.1",
    id: `note--${objectId("scan", requestId)}`,
    created_by_ref: appliance.id,
    created: scanEnd,
    modified: scanEnd,
    abstract: `xpose: ${headline(exported)}`,
    content: `Scan ${requestId}, evidence ${digest}. ${disambiguation.reason}`,
    authors: ["xpose"],
    labels: scanLabels(exported),
    object_refs: [addressId],
    object_marking_refs: markings,
  };
}

/** STIX wants milliseconds and `Z` (STIX 2.1, 3.6.2). Our times are whole seconds in UTC. */
function stixTime(time: string): string {
  return `${time.slice(0, 19)}.000Z`;
}
