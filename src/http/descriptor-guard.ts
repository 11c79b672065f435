import { dlopen, ptr } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { placeOf } from "./listening-socket.ts";

export type DescriptorGuard = {
  /** The client at this port waits for a long answer: its connection is spared until then, by steady time. */
  readonly spare: (remotePort: number, untilMs: number) => void;
  readonly stop: () => void;
};

const lookEveryMs = 100;
/** Descriptors that are kept free for the service itself and for new clients: an eighth, within these bounds. */
const [leastSpareCount, mostSpareCount] = [16, 1024];
/** Descriptors that are examined in one look: about 4 ms of the event loop. */
const examinedCount = 4096;

/**
 * Makes room when clients hold nearly all descriptors: without one the kernel hands over no connection, and the runtime
 * waits for one to become free. The older half of the connections of `port` is closed, by when their client last sent or
 * took something, so a request that comes now is served. `limit` is how many
 * descriptors this process may have; `steadyNow` is in milliseconds.
 */
export function guardDescriptors(port: number, limit: number, steadyNow: () => number): DescriptorGuard {
  const spareCount = Math.min(mostSpareCount, Math.max(leastSpareCount, Math.floor(limit / 8)));
  const spared = new Map<number, number>();
  let next = 0;

  function look(): void {
    if (lowestFree() < limit - spareCount) return;
    const now = steadyNow();
    for (const [remotePort, untilMs] of spared) if (untilMs <= now) spared.delete(remotePort);
    const found: { descriptor: number; idleMs: number }[] = [];
    for (let count = Math.min(limit, examinedCount); count > 0; count -= 1) {
      const idleMs = placeOf(next) === port ? idleTime(next) : null;
      if (idleMs !== null && !spared.has(remotePortOf(next))) found.push({ descriptor: next, idleMs });
      next = (next + 1) % limit;
    }
    found.sort((a, b) => b.idleMs - a.idleMs);
    // The runtime notices the end of the connection and closes the descriptor.
    for (const { descriptor } of found.slice(0, Math.ceil(found.length / 2))) libc().shutdown(descriptor, shutRdwr);
  }

  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return { spare: (remotePort, untilMs) => void spared.set(remotePort, untilMs), stop: () => clearInterval(timer) };
}

// From the Linux headers; the same on x64 and arm64.
const shutRdwr = 2;
const ipprotoTcp = 6;
const tcpInfo = 11;
const established = 1;
/** `tcpi_last_data_recv` and `tcpi_last_ack_recv` of `struct tcp_info`, in milliseconds. */
const [lastDataAt, lastAckAt] = [52, 56];

/** Descriptors are handed out from the lowest free number on. Infinity when there is none. */
function lowestFree(): number {
  try {
    const descriptor = openSync("/dev/null", "r");
    closeSync(descriptor);
    return descriptor;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Milliseconds since the client sent or acknowledged something; null for what is no open connection. */
function idleTime(descriptor: number): number | null {
  const info = new Uint8Array(64);
  const length = new Uint32Array([info.length]);
  if (libc().getsockopt(descriptor, ipprotoTcp, tcpInfo, ptr(info), ptr(length)) !== 0) return null;
  if (info[0] !== established) return null;
  const view = new DataView(info.buffer);
  return Math.min(view.getUint32(lastDataAt, true), view.getUint32(lastAckAt, true));
}

function remotePortOf(descriptor: number): number {
  const address = new Uint8Array(128);
  const length = new Uint32Array([address.length]);
  if (libc().getpeername(descriptor, ptr(address), ptr(length)) !== 0) return 0;
  return new DataView(address.buffer).getUint16(2);
}

/** Loaded when room is made for the first time, not at the start. */
let openedLibc: ReturnType<typeof openLibc> | undefined;

function libc() {
  openedLibc ??= openLibc();
  return openedLibc.symbols;
}

function openLibc() {
  return dlopen("libc.so.6", {
    getpeername: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    shutdown: { args: ["i32", "i32"], returns: "i32" },
  });
}
