import type { KeyScope } from "./key-scope.ts";
import type { WorkspaceId } from "./workspace.ts";

/** The plaintext of a key. It exists only at creation and in request headers; it is never stored. */
export type Token = string & { readonly __brand: "Token" };

const tokenPrefixes = { key: "xpz_live_", operator: "xpz_admin_" } as const;
export type TokenKind = keyof typeof tokenPrefixes;

const tokenForm = { key: /^xpz_live_[0-9a-f]{48}$/, operator: /^xpz_admin_[0-9a-f]{48}$/ } as const;

/** The maximum number of active keys of a workspace (docs/contract.md 9.3). */
export const maxActiveKeys = 50;

/**
 * Builds a token from 20 random bytes: prefix, 40 hex digits, then 8 digits of CRC-32 over the text before them
 * (docs/contract.md 1.3). The checksum finds typing errors without a database look-up; it is no security measure.
 */
export function makeToken(kind: TokenKind, random: Uint8Array): Token {
  if (random.length !== 20) throw new RangeError("a token needs exactly 20 random bytes");
  const body = tokenPrefixes[kind] + Buffer.from(random).toString("hex");
  return (body + checksum(body)) as Token;
}

/** Returns the token if its form and checksum are right, else null. */
export function parseToken(kind: TokenKind, text: string): Token | null {
  if (!tokenForm[kind].test(text)) return null;
  return text.slice(-8) === checksum(text.slice(0, -8)) ? (text as Token) : null;
}

function checksum(text: string): string {
  return (Bun.hash.crc32(text) >>> 0).toString(16).padStart(8, "0");
}

/** The part of a key that lists may show: `xpz_live_` and four hex digits. */
export function tokenPrefix(token: Token): string {
  return token.slice(0, 13);
}

export type ApiKey = {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly name: string;
  readonly prefix: string;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly rotatedFrom: string | null;
  readonly rotatedTo: string | null;
  readonly scopes: readonly KeyScope[];
  /** Networks that it may be used from, as CIDR; empty for any address. */
  readonly allowedIps: readonly string[];
};

export const keyStatuses = ["active", "revoked", "expired"] as const;
export type KeyStatus = (typeof keyStatuses)[number];

export function keyStatus(key: Pick<ApiKey, "revokedAt" | "expiresAt">, now: Date): KeyStatus {
  if (key.revokedAt !== null) return "revoked";
  return key.expiresAt !== null && key.expiresAt <= now ? "expired" : "active";
}
