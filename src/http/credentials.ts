import { parseToken } from "../domain/api-key.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";

/**
 * The hash of the key in `X-API-Key`, or null when there is none that could be one: missing, empty, sent twice (the
 * values arrive joined by a comma), malformed, wrong checksum. Other places are not looked at (CONTRACT.md 1.1).
 */
export function apiKeyHash(headers: Headers, keys: Pick<DerivedKeys, "token">): string | null {
  const token = parseToken("key", headers.get("X-API-Key") ?? "");
  return token === null ? null : keyedHash(keys.token, token);
}
