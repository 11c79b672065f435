/** CPU pinning: the server has one core for itself, its clients have the other. */
const serverCore = "0";
const clientCore = "1";
export const coreCount = navigator.hardwareConcurrency;
export const hasTaskset = Bun.which("taskset") !== null;
export const isPinned = hasTaskset && coreCount > 1;

export function onServerCore(command: readonly string[]): string[] {
  return isPinned ? ["taskset", "-c", serverCore, ...command] : [...command];
}

/** Runs on any free core, like a command typed by an operator. */
export function onAnyCore(command: readonly string[]): string[] {
  return isPinned ? ["taskset", "-c", `0-${coreCount - 1}`, ...command] : [...command];
}

/**
 * Runs with higher priority on the client's core, if permitted: a generator that is kept waiting would measure itself.
 */
export function first(command: readonly string[]): string[] {
  return ["nice", "-n", "-15", ...command];
}

/** Moves this process, and processes it starts without a core of their own, to the client's core. */
export function moveToClientCore(): void {
  if (isPinned) Bun.spawnSync(["taskset", "-a", "-cp", clientCore, String(process.pid)]);
}
