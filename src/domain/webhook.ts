import { foldName, type Workspace } from "./workspace.ts";

/** Milliseconds before each further attempt (docs/pipeline.md 20.6). */
const minute = 60_000;
const hour = 60 * minute;
const retryDelaysMs: readonly number[] = [
  5_000,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];

/** At most this share is added to a delay, so that receivers which come back are not hit by all at once. */
const jitterShare = 0.1;

/** When attempt number `attempt` (the first is 1) is followed by another; null when it was the last. `random`: 0 to 1. */
export function nextAttemptAt(attempt: number, now: Date, random: number): Date | null {
  const delayMs = retryDelaysMs[attempt - 1];
  if (delayMs === undefined) return null;
  return new Date(now.getTime() + Math.round(delayMs * (1 + random * jitterShare)));
}

/** True when a webhook wants events of this workspace and type. `workspaces` and `types` null = all. */
export function wantsEvent(
  { workspaces, types }: { readonly workspaces: readonly string[] | null; readonly types: readonly string[] | null },
  { id, name }: Pick<Workspace, "id" | "name">,
  type: string,
): boolean {
  const isSeen = workspaces?.some((entry) => entry === id || foldName(entry) === foldName(name)) ?? true;
  return isSeen && (types?.includes(type) ?? true);
}
