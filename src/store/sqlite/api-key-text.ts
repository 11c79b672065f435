import { defaultScopes, type KeyScope, parseScopes } from "../../domain/key-scope.ts";

/** A list of a key as its column holds it: the entries separated by commas; null for an empty list. */
export function listText(entries: readonly string[]): string | null {
  return entries.length === 0 ? null : entries.join(",");
}

export function allowedIpsIn(text: string | null): readonly string[] {
  return text === null ? [] : text.split(",");
}

const parsed = new Map<string, readonly KeyScope[]>();

/** Parsed once per text, because every call needs them. A text that xpose did not write gives no rights. */
export function scopesIn(text: string | null): readonly KeyScope[] {
  if (text === null) return defaultScopes;
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const scopes = parseScopes(text.split(","));
  if (scopes === null) return [];
  parsed.set(text, scopes);
  return scopes;
}
