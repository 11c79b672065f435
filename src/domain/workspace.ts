export type WorkspaceId = string & { readonly __brand: "WorkspaceId" };

/** In ascending order (docs/contract.md 1.5). */
export const plans = ["free", "starter", "team", "enterprise"] as const;
export type Plan = (typeof plans)[number];

/** A tenant: owner of keys and scans. */
export type Workspace = {
  readonly id: WorkspaceId;
  readonly name: string;
  readonly plan: Plan;
  readonly disabledAt: Date | null;
};

/** API access needs plan team or above. */
export function hasApiAccess(plan: Plan): boolean {
  return plans.indexOf(plan) >= plans.indexOf("team");
}

/**
 * A trimmed name of 1 to 64 characters without control characters, or null. Used for workspaces, keys and operators
 * (docs/contract.md 9.3, 12.3).
 */
export function parseName(text: string): string | null {
  const name = text.trim().normalize("NFC");
  const length = [...name].length;
  return length >= 1 && length <= 64 && !/\p{Cc}/u.test(name) && name.isWellFormed() ? name : null;
}

/** The form in which names are compared, so that names that differ only by case are equal. */
export function foldName(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for the form of ids that xpose makes: a lower-case UUID. */
export function isId(text: string): boolean {
  return uuid.test(text);
}

/** Like `parseName`, but refuses a name that looks like an id, because commands accept either. */
export function parseWorkspaceName(text: string): string | null {
  const name = parseName(text);
  return name === null || isId(name.toLowerCase()) ? null : name;
}
