/**
 * The allowed uses of a key (docs/pipeline.md 14.4): `enrich` for look-ups that may start scans, `read` for existing
 * results, `watch` for watch lists and events.
 */
export const keyScopes = ["enrich", "read", "watch"] as const;
export type KeyScope = (typeof keyScopes)[number];

/** The scopes of a key that was created without scopes, as all keys were before scopes existed. */
export const defaultScopes: readonly KeyScope[] = ["enrich", "watch"];

/** The scopes with these names, in the order of `keyScopes` and without repeats. Null for none, and for an unknown one. */
export function parseScopes(names: readonly string[]): readonly KeyScope[] | null {
  const scopes = keyScopes.filter((scope) => names.includes(scope));
  const areKnown = names.every((name) => scopes.some((scope) => scope === name));
  return areKnown && scopes.length > 0 ? scopes : null;
}

/** True when the key may get existing results, by hits and polls. */
export function mayRead(scopes: readonly KeyScope[]): boolean {
  return scopes.includes("enrich") || scopes.includes("read");
}

/** True when a look-up with the key may start or join a scan. */
export function mayScan(scopes: readonly KeyScope[]): boolean {
  return scopes.includes("enrich");
}

export function areDefault(scopes: readonly KeyScope[]): boolean {
  return scopes.length === defaultScopes.length && defaultScopes.every((scope) => scopes.includes(scope));
}
