import type { Atom } from "../wire/finding.ts";

/** All facts of an atom besides its title, as one line. For formats that have no field for each fact. */
export function evidenceText(atom: Atom): string {
  const { corroborated_by: by, first_seen: first, last_seen: last } = atom;
  return [
    `source ${atom.source}`,
    `reliability of the source ${atom.source_confidence} (${atom.source_tier})`,
    `corroborated by ${atom.corroboration_count} other origins${by.length === 0 ? "" : ` (${by.join(", ")})`}`,
    `category ${atom.category}`,
    `severity ${atom.severity} as emitted`,
    `first seen by us ${first ?? "unknown"}`,
    `last ${last ?? "unknown"}`,
  ].join(", ");
}
