/** The meaning of the signals for a service. A terminal sends SIGINT. */
const meanings = { SIGTERM: "stop", SIGINT: "stop", SIGHUP: "reload" } as const;
type ServiceSignal = keyof typeof meanings;

const early: ServiceSignal[] = [];
let take = (signal: ServiceSignal): void => void early.push(signal);

// Loaded before everything else: without a listener these signals are deadly, and loading the rest takes longer than a
// service manager takes to send the first.
if (process.argv.includes("serve")) {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => take(signal));
}

/** From now on signals go to `handle`; first those that came before. */
export function takeSignals(handle: (meaning: "stop" | "reload", signal: string) => void): void {
  take = (signal) => handle(meanings[signal], signal);
  for (const signal of early.splice(0)) take(signal);
}
