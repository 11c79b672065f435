import type { Atom } from "../wire/finding.ts";
import { uuidBytes, uuidV5 } from "./uuid-v5.ts";

/** Of all names of objects that xpose makes; never changes, so that a file that is imported again adds nothing. */
const namespace = uuidBytes("4a1e0f0c-5b57-5d0e-9f0b-0f6a1d2c7e31");

/**
 * The id of an exported object: the UUIDv5 of a stated name, the RFC 8785 form of the array `[kind, ...parts]`. Nothing of
 * this install is in it, so two appliances give one object the same id. The parts are well-formed text.
 */
export function objectId(kind: string, ...parts: readonly string[]): string {
  // For an array of well-formed text JSON.stringify gives the form of RFC 8785.
  return uuidV5(namespace, JSON.stringify([kind, ...parts]));
}

/**
 * Ids of what tells of one atom: the same name with what makes the atom the same (docs/contract.md 7.6) at its end. That part is
 * written once for all of them, because with thousands of atoms it takes most of the time.
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
