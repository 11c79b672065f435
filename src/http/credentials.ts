import { findBySession, findByToken } from "../access/operator.ts";
import { parseToken } from "../domain/api-key.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import type { Operator } from "../domain/operator.ts";
import type { OperatorStore } from "../store/port/operator.ts";

/**
 * The hash of the key in `X-API-Key`, or null when there is none that could be one: missing, empty, sent twice (the
 * values arrive joined by a comma), malformed, wrong checksum. Other places are not looked at (docs/contract.md 1.1).
 */
export function apiKeyHash(headers: Headers, keys: Pick<DerivedKeys, "token">): string | null {
  const token = parseToken("key", headers.get("X-API-Key") ?? "");
  return token === null ? null : keyedHash(keys.token, token);
}

export type Authenticated = {
  readonly operator: Operator;
  /** True for the cookie, which a browser sends without being asked: then `Origin` counts. */
  readonly isSession: boolean;
};

/**
 * The operator that a request comes from: by `Authorization: Bearer <operator token>`, or else by the session cookie
 * (docs/contract.md 9.1). Null when there is none. A bad token is not made up for by a cookie.
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

/** What the cookie `xpose_session` holds, or null when it is not there or has not the form of a session. */
export function sessionSecret(headers: Headers): string | null {
  return /(?:^|;) *xpose_session=([0-9a-f]{64}) *(?:;|$)/.exec(headers.get("Cookie") ?? "")?.[1] ?? null;
}
