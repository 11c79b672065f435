import { dlopen } from "bun:ffi";
import { sendUnixDatagram, unixSocketAddress } from "../egress/unix-datagram.ts";

/** The environment that the service manager sets (sd_notify(3), sd_watchdog_enabled(3)). */
export type ServiceManagerEnvironment = {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
  readonly WATCHDOG_PID?: string | undefined;
};

/**
 * Reports the state of this process to the service manager. Without a service manager, or when it wants no messages,
 * the functions do nothing and return true. They return false when a message could not be sent.
 */
export type Notifier = {
  /**
   * The service serves: after the start, and after a reload. From the first call on the watchdog is fed until
   * `stopping`.
   */
  readonly ready: () => boolean;
  /**
   * The service reads its configuration again. `ready` must follow, whether the new configuration is accepted or
   * refused.
   */
  readonly reloading: () => boolean;
  /** The service will stop within this time, in milliseconds. The manager waits for it. */
  readonly stopping: (withinMs: number) => boolean;
};

/**
 * Opens nothing before the first message. `pid` is this process; a watchdog for another process is not fed. A timer
 * feeds the watchdog, so a service whose event loop is stuck goes silent and is killed.
 */
export function openNotifier(env: ServiceManagerEnvironment, pid = process.pid): Notifier {
  const address = unixSocketAddress(env.NOTIFY_SOCKET ?? "");
  const intervalMs = watchdogIntervalMs(env, pid);
  const notify = (message: string) => address === null || sendUnixDatagram(address, message);
  let feeding: ReturnType<typeof setInterval> | null = null;
  return {
    ready() {
      if (intervalMs !== null) feeding ??= setInterval(() => notify("WATCHDOG=1"), intervalMs);
      return notify("READY=1");
    },
    // The time tells the manager which of several reloads this is.
    reloading: () => address === null || notify(`RELOADING=1\nMONOTONIC_USEC=${monotonicUsec()}`),
    stopping(withinMs) {
      if (feeding !== null) clearInterval(feeding);
      return notify(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${withinMs * 1000}`);
    },
  };
}

/** Half of the time after which the manager kills a silent service; null without a watchdog. */
function watchdogIntervalMs(env: ServiceManagerEnvironment, pid: number): number | null {
  const isForUs = (env.WATCHDOG_PID ?? "") === "" || env.WATCHDOG_PID === String(pid);
  const usec = env.WATCHDOG_USEC ?? "";
  return isForUs && /^[1-9]\d{0,14}$/.test(usec) ? Math.max(1, Math.floor(Number(usec) / 2000)) : null;
}

/** From the Linux headers; the same on x64 and arm64. */
const clockMonotonic = 1;

/** Opened with the first reload. The clocks of the runtime start with the process, so they cannot be used. */
let openedLibc: ReturnType<typeof openLibc> | undefined;

function openLibc() {
  return dlopen("libc.so.6", { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } });
}

/** Microseconds on CLOCK_MONOTONIC, the clock of the service manager. */
function monotonicUsec(): bigint {
  // struct timespec: seconds, nanoseconds.
  const time = new BigInt64Array(2);
  openedLibc ??= openLibc();
  openedLibc.symbols.clock_gettime(clockMonotonic, time);
  const [seconds = 0n, nanoseconds = 0n] = time;
  return seconds * 1_000_000n + nanoseconds / 1000n;
}
