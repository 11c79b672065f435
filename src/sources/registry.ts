import { emailrep } from "./emailrep.ts";
import { hibp } from "./hibp.ts";
import { holehe } from "./holehe.ts";
import { http } from "./http.ts";
import { misp } from "./misp.ts";
import type { SourceKind } from "./source.ts";

/**
 * All kinds of sources that a configuration can declare. A new one is one line here.
 *
 * A list of different kinds cannot name the type of their settings. `settings` is that kind's own schema, and whoever
 * calls `lookup` hands it what this schema made, so the type that is dropped here is never needed again.
 */
export const sourceKinds: readonly SourceKind[] = [
  hibp as SourceKind,
  emailrep as SourceKind,
  holehe as SourceKind,
  misp as SourceKind,
  http as SourceKind,
];

/** True for a kind, by name, that brings the public list of breaches. */
export function hasCatalogue(name: string): boolean {
  return sourceKinds.some(({ kind, hasCatalogue }) => kind === name && hasCatalogue === true);
}
