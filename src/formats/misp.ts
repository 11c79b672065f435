import { headline } from "../domain/headline.ts";
import type { CompletedCase } from "../wire/case.ts";
import type { Atom } from "../wire/finding.ts";
import { evidenceText } from "./evidence-text.ts";
import type { ExportOptions } from "./export-options.ts";
import { scanLabels } from "./labels.ts";
import { atomIds, objectId } from "./object-id.ts";

/**
 * A MISP event (https://www.misp-standard.org/rfc/misp-standard-core.html). Nothing in it can become a detection rule
 * or correlate this address with other events: every attribute has `to_ids` false and `disable_correlation` true. The
 * address in the title is masked, because titles appear in lists and mails.
 */
export function misp(exported: CompletedCase, { tlp }: ExportOptions): string {
  const { request_id: requestId, digest, indicator, finished_at: finishedAt } = exported;
  return JSON.stringify({
    Event: {
      uuid: objectId("misp", "event", requestId, digest, tlp),
      info: `xpose exposure: ${masked(indicator.value)}`,
      date: finishedAt.slice(0, 10),
      timestamp: String(Date.parse(finishedAt) / 1000),
      published: false,
      analysis: "2",
      threat_level_id: "4",
      distribution: "0",
      Tag: [{ name: `tlp:${tlp}` }],
      Attribute: [
        addressAttribute(indicator.value),
        scanAttribute(exported),
        ...exported.exposure.findings.flatMap((atom) => findingAttributes(atom, indicator.value)),
      ],
    },
  });
}

/** `j…@acme.example`: the first character, never half of a surrogate pair. */
function masked(address: string): string {
  const [first = ""] = address;
  return `${first}…${address.slice(address.lastIndexOf("@"))}`;
}

type Said = { readonly type: string; readonly category: string; readonly value: string; readonly comment?: string };
type Times = Partial<Pick<Atom, "first_seen" | "last_seen">>;

function attribute(uuid: string, { type, category, value, comment }: Said, { first_seen, last_seen }: Times = {}) {
  return {
    uuid,
    type,
    category,
    value,
    comment,
    to_ids: false,
    disable_correlation: true,
    // Inherits the distribution of the event.
    distribution: "5",
    // Left out of the text when undefined.
    first_seen: first_seen ?? undefined,
    last_seen: last_seen ?? undefined,
  };
}

function addressAttribute(address: string) {
  const said = { type: "target-email", category: "Targeting data", value: address };
  return attribute(objectId("misp", "address", address), said);
}

/** Names the failed sources, so that an event without findings does not read as clean. */
function scanAttribute(exported: CompletedCase) {
  const { request_id: requestId, digest, indicator, reach, disambiguation } = exported;
  const labels = [...scanLabels(exported), `reach:${reach}`].join(" ");
  return attribute(objectId("misp", "scan", indicator.value, requestId), {
    type: "comment",
    category: "Other",
    value: `xpose: ${headline(exported)}`,
    comment: `Scan ${requestId}, evidence ${digest}, ${labels}. ${disambiguation.reason}`,
  });
}

function findingAttributes(atom: Atom, address: string): readonly object[] {
  const { title, source_url: url } = atom;
  const idOf = atomIds(atom);
  const text = { type: "text", category: "Other", value: title, comment: evidenceText(atom) };
  const finding = attribute(idOf("misp", "finding", address), text, atom);
  if (url === null) return [finding];
  const link = { type: "link", category: "External analysis", value: url, comment: title };
  return [finding, attribute(idOf("misp", "link", address), link, atom)];
}
