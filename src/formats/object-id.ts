import type { Atom } from "../wire/finding.ts";
import { uuidBytes, uuidV5 } from "./uuid-v5.ts";

/** The namespace of all ids that xpose makes. It never changes, so a repeated import adds nothing. */
const namespace = uuidBytes("4a1e0f0c-5b57-5d0e-9f0b-0f6a1d2c7e31");

/**
 * The id of an exported object: the UUIDv5 of a defined name, the RFC 8785 form of the array `[kind, ...parts]`. It
 * contains nothing specific to an installation, so two appliances give an object the same id. The parts are well-formed
 * text.
 */
export function objectId(kind: string, ...parts: readonly string[]): string {
  // For an array of well-formed text, JSON.stringify writes the form of RFC 8785.
  return uuidV5(namespace, JSON.stringify([kind, ...parts]));
}

/**
 * Makes the ids of objects about one atom: the name ends with the identity of the atom (docs/contract.md 7.6). This
 * part is written once for all ids of the atom, because with thousands of atoms it takes most of the time.
 */
export function atomIds(atom: Atom): (kind: string, ...parts: readonly string[]) => string {
  const identity = JSON.stringify([
    atom.source,
    atom.category,
    atom.title,
    atom.indicator_value,
    atom.source_url,
  ]).slice(1);
  return (...parts) => uuidV5(namespace, `${JSON.stringify(parts).slice(0, -1)},${identity}`);
}
