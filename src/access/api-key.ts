import {
  type ApiKey,
  type KeyStatus,
  keyStatus,
  keyStatuses,
  makeToken,
  type Token,
  tokenPrefix,
} from "../domain/api-key.ts";
import type { Author } from "../domain/audit.ts";
import { parseDuration } from "../domain/duration.ts";
import { AppError } from "../domain/error.ts";
import { defaultScopes, type KeyScope, keyScopes, parseScopes } from "../domain/key-scope.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import { parseCidr } from "../domain/network.ts";
import { timestamp } from "../domain/time.ts";
import { parseName, type WorkspaceId } from "../domain/workspace.ts";
import type { ApiKeyStore } from "../store/port/api-key.ts";
import type { KeyBody } from "../wire/key.ts";

/** Time, ids and random bytes, injected so that tests can control them. */
export type Entropy = {
  readonly now: () => Date;
  readonly newId: () => string;
  readonly randomBytes: (count: number) => Uint8Array;
};

type KeyEntropy = Pick<Entropy, "newId" | "randomBytes">;

export type KeyRequest = {
  readonly workspaceId: WorkspaceId;
  readonly name: string;
  /** An RFC 3339 time; null for a key that does not expire. */
  readonly expiresAt: string | null;
  /** The same as a duration from now, such as `90d`; at most one of the two is given. */
  readonly expiresIn?: string | null;
  /** Null for the default ones. */
  readonly scopes?: readonly string[] | null;
  /** Addresses and networks; null or empty for any address. */
  readonly allowedIps?: readonly string[] | null;
};

/**
 * Dependencies of the key operations: the store, the keys derived from the secret, the author, ids and random bytes.
 */
export type KeyTools<Method extends keyof ApiKeyStore> = {
  readonly store: Pick<ApiKeyStore, Method>;
  readonly keys: Pick<DerivedKeys, "token">;
  readonly by: Author;
  readonly entropy: KeyEntropy;
};

/** Networks that a key may be used from, at most. */
const maxAllowedIps = 100;

/**
 * Creates a key (docs/contract.md 9.3). The token is returned only here. Throws `invalid_request` for a bad name, time,
 * scope or address, `conflict` for a name in use or too many keys, `plan_required` below plan team.
 */
export async function createKey(
  request: KeyRequest,
  { store, keys, by, entropy }: KeyTools<"insertKey">,
): Promise<{ key: ApiKey; token: Token }> {
  const name = parseName(request.name);
  if (name === null) {
    throw new AppError("invalid_request", "The name of a key needs 1 to 64 characters and no control characters");
  }
  const expiresAt = expiryOf(request, by.at);
  const scopes = scopesOf(request.scopes ?? null);
  const allowedIps = allowedIpsOf(request.allowedIps ?? []);
  const { token, ...secret } = newSecret(keys, by, entropy);
  const key = await store.insertKey(request.workspaceId, { ...secret, name, expiresAt, scopes, allowedIps }, by);
  return { key, token };
}

function expiryOf({ expiresAt, expiresIn = null }: KeyRequest, createdAt: Date): Date | null {
  if (expiresIn === null) return expiresAt === null ? null : futureTime(expiresAt, createdAt);
  if (expiresAt !== null) {
    throw new AppError("invalid_request", "The expiry of a key is given as a time or as a duration, not as both");
  }
  const lifetimeMs = parseDuration(expiresIn, 1);
  if (lifetimeMs !== null) return new Date(createdAt.getTime() + lifetimeMs);
  throw new AppError("invalid_request", "The lifetime of a key must be a duration such as 12h, 90d or 365d");
}

function futureTime(text: string, createdAt: Date): Date {
  const time = parseTime(text);
  if (time !== null && time > createdAt) return time;
  throw new AppError("invalid_request", "The expiry of a key must be a future RFC 3339 time, as 2030-01-31T12:00:00Z");
}

function scopesOf(names: readonly string[] | null): readonly KeyScope[] {
  const scopes = names === null ? defaultScopes : parseScopes(names);
  if (scopes !== null) return scopes;
  throw new AppError("invalid_request", `The scopes of a key must be one or more of ${keyScopes.join(", ")}`);
}

/** As they were given, with prefixes and without repeats. */
function allowedIpsOf(list: readonly string[]): readonly string[] {
  const networks = list.map(parseCidr);
  if (!networks.every((network) => network !== null)) {
    throw new AppError(
      "invalid_request",
      "The allowed addresses of a key must be addresses or networks, as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32",
    );
  }
  const different = [...new Set(networks)];
  if (different.length <= maxAllowedIps) return different;
  throw new AppError("invalid_request", `A key can have at most ${maxAllowedIps} allowed addresses`);
}

/**
 * Revokes a key and issues its replacement in one transaction (docs/contract.md 9.5). Throws `not_found`, `conflict`
 * when the key is not active, `plan_required` below plan team.
 */
export async function rotateKey(
  workspaceId: WorkspaceId,
  keyId: string,
  { store, keys, by, entropy }: KeyTools<"rotateKey">,
): Promise<{ key: ApiKey; token: Token }> {
  const { token, ...secret } = newSecret(keys, by, entropy);
  const key = await store.rotateKey(workspaceId, keyId, secret, by);
  if (key === null) throw unknownKey();
  return { key, token };
}

/** Revokes a key. Idempotent: a revoked key stays as it is (docs/contract.md 9.6). Throws `not_found`. */
export async function revokeKey(
  workspaceId: WorkspaceId,
  keyId: string,
  { store, by }: Pick<KeyTools<"revokeKey">, "store" | "by">,
): Promise<ApiKey> {
  const key = await store.revokeKey(workspaceId, keyId, by);
  if (key === null) throw unknownKey();
  return key;
}

/** Parses the status filter of a key list. Throws `invalid_request` for an unknown status. */
export function parseKeyStatus(text: string): KeyStatus {
  const status = keyStatuses.find((one) => one === text);
  if (status === undefined)
    throw new AppError("invalid_request", `The status must be one of ${keyStatuses.join(", ")}`);
  return status;
}

function unknownKey(): AppError {
  return new AppError("not_found", "There is no key with this id");
}

function newSecret({ token: tokenKey }: Pick<DerivedKeys, "token">, by: Author, { newId, randomBytes }: KeyEntropy) {
  const token = makeToken("key", randomBytes(20));
  const hash = keyedHash(tokenKey, token);
  return { token, id: newId(), prefix: tokenPrefix(token), hash, createdAt: by.at, createdBy: by.actor };
}

/** Parses an RFC 3339 time with a zone; null for any other text and for a day that does not exist. */
function parseTime(text: string): Date | null {
  const match = /^(\d{4}-\d{2}-\d{2})[Tt ](?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/.exec(
    text.trim(),
  );
  const day = match?.[1];
  if (day === undefined) return null;
  const time = new Date(text.trim().toUpperCase().replace(" ", "T"));
  const midnight = new Date(`${day}T00:00:00Z`);
  const isRealDay = !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
  if (Number.isNaN(time.getTime()) || !isRealDay) return null;
  // An offset can move the last day of 9999 into a year that our timestamps cannot show (docs/contract.md 0.3).
  return time.getUTCFullYear() > 9999 ? null : time;
}

/** The KEY object of docs/contract.md 9.2, in its documented order. */
export function keyBody(key: ApiKey, now: Date): KeyBody {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    status: keyStatus(key, now),
    created_at: timestamp(key.createdAt),
    created_by: key.createdBy,
    last_used_at: optionalTimestamp(key.lastUsedAt),
    expires_at: optionalTimestamp(key.expiresAt),
    revoked_at: optionalTimestamp(key.revokedAt),
    rotated_from: key.rotatedFrom,
    rotated_to: key.rotatedTo,
    scopes: key.scopes,
    allowed_ips: key.allowedIps,
  };
}

function optionalTimestamp(at: Date | null): string | null {
  return at === null ? null : timestamp(at);
}
