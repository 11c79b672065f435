import type { ApiKey } from "./api-key.ts";
import { keyStatus } from "./api-key.ts";
import { AppError } from "./error.ts";
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

/**
 * Checks that a call with this key may pass. Returns null, or the refusal, in the order of docs/contract.md 2. `key` is
 * null when no stored key has the hash of the token that was sent. The budget is checked later, see budget.ts.
 */
export function admit(
  key: Pick<ApiKey, "revokedAt" | "expiresAt"> | null,
  workspace: Pick<Workspace, "plan" | "disabledAt"> | null,
  now: Date,
): AppError | null {
  if (key === null || workspace === null) return invalidApiKey();
  if (keyStatus(key, now) !== "active" || workspace.disabledAt !== null) return invalidApiKey();
  return hasApiAccess(workspace.plan) ? null : planRequired();
}
