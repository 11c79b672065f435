/** Where things run: the server has one core for itself, all that asks it has the other. */
const serverCore = "0";
const clientCore = "1";
export const coreCount = navigator.hardwareConcurrency;
export const hasTaskset = Bun.which("taskset") !== null;
export const isPinned = hasTaskset && coreCount > 1;

export function onServerCore(command: readonly string[]): string[] {
  return isPinned ? ["taskset", "-c", serverCore, ...command] : [...command];
}

/** On whichever core is free, as a command that an operator types. */
export function onAnyCore(command: readonly string[]): string[] {
  return isPinned ? ["taskset", "-c", `0-${coreCount - 1}`, ...command] : [...command];
}

/**
 * Before its neighbours on the client's core, where the right to do so is there: a generator that is kept waiting
 * would measure itself.
 */
export function first(command: readonly string[]): string[] {
  return ["nice", "-n", "-15", ...command];
}

/** Moves this process, and all that it starts from now on without a word about cores, to the client's core. */
export function moveToClientCore(): void {
  if (isPinned) Bun.spawnSync(["taskset", "-a", "-cp", clientCore, String(process.pid)]);
}
