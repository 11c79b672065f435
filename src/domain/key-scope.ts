/**
 * What a key may be used for (docs/pipeline.md 14.4): `enrich` looks addresses up and starts scans, `read` gets results
 * that are there, `watch` is for watch lists and events.
 */
export const keyScopes = ["enrich", "read", "watch"] as const;
export type KeyScope = (typeof keyScopes)[number];

/** Of a key that was minted without a word about scopes, as every key was before there were any. */
export const defaultScopes: readonly KeyScope[] = ["enrich", "watch"];

/** The scopes with these names, in the order of `keyScopes` and without repeats. Null for none, and for an unknown one. */
export function parseScopes(names: readonly string[]): readonly KeyScope[] | null {
  const scopes = keyScopes.filter((scope) => names.includes(scope));
  const areKnown = names.every((name) => scopes.some((scope) => scope === name));
  return areKnown && scopes.length > 0 ? scopes : null;
}

/** Results that are there: of hits and polls. */
export function mayRead(scopes: readonly KeyScope[]): boolean {
  return scopes.includes("enrich") || scopes.includes("read");
}

/** May a look-up without a result start or join a scan? */
export function mayScan(scopes: readonly KeyScope[]): boolean {
  return scopes.includes("enrich");
}

export function areDefault(scopes: readonly KeyScope[]): boolean {
  return scopes.length === defaultScopes.length && defaultScopes.every((scope) => scopes.includes(scope));
}
