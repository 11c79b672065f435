import { type ApiKey, keyStatus, makeToken, type Token, tokenPrefix } from "../domain/api-key.ts";
import { timestamp } from "../domain/envelope.ts";
import { AppError } from "../domain/error.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import { parseName, type WorkspaceId } from "../domain/workspace.ts";
import type { Store } from "../store/store.ts";

/** Time, ids and random bytes, given from outside. */
export type Entropy = {
  readonly now: () => Date;
  readonly newId: () => string;
  readonly randomBytes: (count: number) => Uint8Array;
};

export type KeyRequest = {
  readonly workspaceId: WorkspaceId;
  readonly name: string;
  /** An RFC 3339 time, or null for a key that does not expire. */
  readonly expiresAt: string | null;
  /** Who asks: `cli`, or `operator:<name>`. */
  readonly createdBy: string;
};

/**
 * Mints a key (CONTRACT.md 9.3). The token is returned this once. Throws `invalid_request` for a bad name or time,
 * `conflict` for a name in use or too many keys, `plan_required` below plan team.
 */
export async function createKey(
  request: KeyRequest,
  store: Pick<Store, "insertKey">,
  keys: Pick<DerivedKeys, "token">,
  { now, newId, randomBytes }: Entropy,
): Promise<{ key: ApiKey; token: Token }> {
  const name = parseName(request.name);
  if (name === null) {
    throw new AppError("invalid_request", "The name of a key needs 1 to 64 characters and no control characters");
  }
  const createdAt = now();
  const expiresAt = request.expiresAt === null ? null : parseTime(request.expiresAt);
  if (request.expiresAt !== null && (expiresAt === null || expiresAt <= createdAt)) {
    throw new AppError(
      "invalid_request",
      "The expiry of a key must be a future RFC 3339 time, as 2030-01-31T12:00:00Z",
    );
  }
  const token = makeToken("key", randomBytes(20));
  const key = await store.insertKey(request.workspaceId, {
    id: newId(),
    name,
    prefix: tokenPrefix(token),
    hash: keyedHash(keys.token, token),
    createdAt,
    createdBy: request.createdBy,
    expiresAt,
  });
  return { key, token };
}

/** RFC 3339 with a zone; null when it is none, or names a day that does not exist. */
function parseTime(text: string): Date | null {
  const match = /^(\d{4}-\d{2}-\d{2})[Tt ](?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/.exec(
    text.trim(),
  );
  const day = match?.[1];
  if (day === undefined) return null;
  const time = new Date(text.trim().toUpperCase().replace(" ", "T"));
  const midnight = new Date(`${day}T00:00:00Z`);
  const isRealDay = !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
  return Number.isNaN(time.getTime()) || !isRealDay ? null : time;
}

/** The KEY object of CONTRACT.md 9.2, in its literal order. */
export function keyBody(key: ApiKey, now: Date) {
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
  };
}

function optionalTimestamp(at: Date | null): string | null {
  return at === null ? null : timestamp(at);
}
