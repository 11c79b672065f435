import { planRequired } from "./admission.ts";
import { type ApiKey, keyStatus, maxActiveKeys } from "./api-key.ts";
import { AppError } from "./error.ts";
import { areDefault } from "./key-scope.ts";
import { foldName, hasApiAccess, type Plan } from "./workspace.ts";

/** Null when a workspace may have keys, else the refusal; `plan` is null when there is no such workspace. */
function planFault(plan: Plan | null): AppError | null {
  if (plan === null) return new AppError("not_found", "There is no such workspace");
  return hasApiAccess(plan) ? null : planRequired();
}

/**
 * Checks that a key with this name may be added. Null, or the refusal. `activeNames` are the folded names of the active
 * keys of the workspace: names of revoked and expired keys are free (docs/contract.md 9.3).
 */
export function newKeyFault(name: string, plan: Plan | null, activeNames: readonly string[]): AppError | null {
  const fault = planFault(plan);
  if (fault !== null) return fault;
  if (activeNames.includes(foldName(name))) {
    return new AppError("conflict", "An active key of that name exists already");
  }
  if (activeNames.length < maxActiveKeys) return null;
  return new AppError("conflict", `The workspace has ${maxActiveKeys} active keys, the most it may have`);
}

/** Checks that this key may be rotated. Null, or the refusal. */
export function rotationFault(
  key: Pick<ApiKey, "revokedAt" | "expiresAt">,
  plan: Plan | null,
  now: Date,
): AppError | null {
  const fault = planFault(plan);
  if (fault !== null || keyStatus(key, now) === "active") return fault;
  return new AppError("conflict", "The key is not active, so it cannot be rotated");
}

/** The detail of the audit event of a new key: its scopes and addresses, if they are not the defaults. */
export function rightsText({ scopes, allowedIps }: Pick<ApiKey, "scopes" | "allowedIps">): string | null {
  const parts = [
    ...(areDefault(scopes) ? [] : [`scopes ${scopes.join(",")}`]),
    ...(allowedIps.length === 0 ? [] : [`allowed_ips ${allowedIps.join(",")}`]),
  ];
  return parts.length === 0 ? null : parts.join("; ");
}
