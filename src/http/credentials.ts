import { findBySession, findByToken } from "../access/operator.ts";
import { parseToken } from "../domain/api-key.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import type { Operator } from "../domain/operator.ts";
import type { OperatorStore } from "../store/port/operator.ts";

/**
 * The hash of the key in `X-API-Key`. Null when the header is missing, empty, sent twice (the values arrive joined by a
 * comma) or malformed, or when the checksum is wrong. No other header is read (docs/contract.md 1.1).
 */
export function apiKeyHash(headers: Headers, keys: Pick<DerivedKeys, "token">): string | null {
  const token = parseToken("key", headers.get("X-API-Key") ?? "");
  return token === null ? null : keyedHash(keys.token, token);
}

export type Authenticated = {
  readonly operator: Operator;
  /** True for the cookie. Browsers send it automatically, so `Origin` must be checked (CSRF). */
  readonly isSession: boolean;
};

/**
 * Finds the operator of a request by `Authorization: Bearer <operator token>`, or without this header by the session
 * cookie (docs/contract.md 9.1). Null when neither is valid. The cookie is ignored when a bad token was sent.
 */
export async function authenticate(
  headers: Headers,
  store: Pick<OperatorStore, "findOperator">,
  keys: Pick<DerivedKeys, "token">,
  now: Date,
): Promise<Authenticated | null> {
  const authorization = headers.get("Authorization");
  if (authorization !== null) {
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    const operator = token === undefined ? null : await findByToken(token, store, keys, now);
    return operator === null ? null : { operator, isSession: false };
  }
  const secret = sessionSecret(headers);
  const operator = secret === null ? null : await findBySession(secret, store, keys, now);
  return operator === null ? null : { operator, isSession: true };
}

/** The value of the cookie `xpose_session`; null when it is missing or malformed. */
export function sessionSecret(headers: Headers): string | null {
  return /(?:^|;) *xpose_session=([0-9a-f]{64}) *(?:;|$)/.exec(headers.get("Cookie") ?? "")?.[1] ?? null;
}
