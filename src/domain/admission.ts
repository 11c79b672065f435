import type { ApiKey } from "./api-key.ts";
import { keyStatus } from "./api-key.ts";
import { AppError } from "./error.ts";
import { type KeyScope, mayRead } from "./key-scope.ts";
import type { Networks } from "./network.ts";
import { hasApiAccess, type Workspace } from "./workspace.ts";

/** The same message for every reason, so that a caller learns nothing about keys and tenants (docs/contract.md 1.2). */
export function invalidApiKey(): AppError {
  return new AppError("invalid_api_key", "Missing or unrecognised API key");
}

export function planRequired(): AppError {
  return new AppError("plan_required", "API access requires the Team plan or above");
}

/** docs/contract.md 8.1. */
export function rateLimited(): AppError {
  return new AppError("rate_limited", "Rate limit exceeded for this API key");
}

/** A key as far as its rights are concerned. */
export type KeyRights = Pick<ApiKey, "revokedAt" | "expiresAt"> & {
  readonly scopes: readonly KeyScope[];
  /** Null when it may be used from any address. */
  readonly allowedNetworks: Networks | null;
};

/**
 * `read` for results, by hits and polls; `watch` for watch lists and events; `any` for a question that every key may ask,
 * such as whoami.
 */
export type WantedScope = "read" | "watch" | "any";

/** The use of a key that is asked for. `ip` is null for a caller behind a unix socket without a forwarding header. */
export type Wish = { readonly scope: WantedScope; readonly ip: string | null; readonly now: Date };

/**
 * Checks that a call with this key may pass. Returns null, or the refusal, in the order of docs/contract.md 2 and
 * docs/pipeline.md 14.4. `key` is null when no stored key has the hash of the token that was sent. The budget is checked
 * later, see budget.ts.
 */
export function admit(
  key: KeyRights | null,
  workspace: Pick<Workspace, "plan" | "disabledAt"> | null,
  { scope, ip, now }: Wish,
): AppError | null {
  if (key === null || workspace === null) return invalidApiKey();
  if (keyStatus(key, now) !== "active" || workspace.disabledAt !== null) return invalidApiKey();
  // The same answer as for an unknown key: the finder of a stolen key does not learn that it works from elsewhere.
  // Fails closed for a caller whose address is unknown.
  if (key.allowedNetworks !== null && !key.allowedNetworks.has(ip)) return invalidApiKey();
  if (!hasApiAccess(workspace.plan)) return planRequired();
  if (scope === "any") return null;
  const isAllowed = scope === "watch" ? key.scopes.includes("watch") : mayRead(key.scopes);
  return isAllowed ? null : scopeRequired();
}

function scopeRequired(): AppError {
  return new AppError("scope_required", "This API key does not have the scope that the request needs");
}
