import { defaultScopes, type KeyScope, parseScopes } from "../../domain/key-scope.ts";

/** Lists of a key as their columns hold them: the entries with commas between; null for what was never set. */
export function listText(entries: readonly string[]): string | null {
  return entries.length === 0 ? null : entries.join(",");
}

export function allowedIpsIn(text: string | null): readonly string[] {
  return text === null ? [] : text.split(",");
}

const parsed = new Map<string, readonly KeyScope[]>();

/** Parsed once per text: every call asks. A text that xpose did not write gives no rights. */
export function scopesIn(text: string | null): readonly KeyScope[] {
  if (text === null) return defaultScopes;
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const scopes = parseScopes(text.split(","));
  if (scopes === null) return [];
  parsed.set(text, scopes);
  return scopes;
}
