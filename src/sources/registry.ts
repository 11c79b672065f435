import { emailrep } from "./emailrep.ts";
import { hibp } from "./hibp.ts";
import { holehe } from "./holehe.ts";
import { http } from "./http.ts";
import { misp } from "./misp.ts";
import type { SourceKind } from "./source.ts";

/**
 * All kinds of sources that a configuration can declare. A new kind is one line here.
 *
 * The list drops the type of the settings. That is safe: `settings` is the kind's own schema, and `lookup` is only
 * called with a value parsed by it.
 */
export const sourceKinds: readonly SourceKind[] = [
  hibp as SourceKind,
  emailrep as SourceKind,
  holehe as SourceKind,
  misp as SourceKind,
  http as SourceKind,
];

/** Whether the kind with this name provides the public list of breaches. */
export function hasCatalogue(name: string): boolean {
  return sourceKinds.some(({ kind, hasCatalogue }) => kind === name && hasCatalogue === true);
}
