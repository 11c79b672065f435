import { dlopen, ptr } from "bun:ffi";

/** A socket that takes connections, by the descriptor that the runtime holds. */
export type ListeningSocket = {
  /**
   * The kernel hands over each connection at once. Until then it keeps a connection back until the client sends
   * something (TCP_DEFER_ACCEPT), and resets it when the socket is closed.
   */
  readonly acceptAtOnce: () => void;
  /** Lets the next socket of this user listen at the same port. */
  readonly share: () => void;
  /** From now on the kernel gives new connections to the socket that came to share the port; this one keeps what it has. */
  readonly yieldToNext: () => void;
  /** New connections are refused. Connections that were accepted go on: the runtime's own stop would close them. */
  readonly close: () => void;
};

// From the Linux headers; the same on x64 and arm64.
const afUnix = 1;
const afInet = 2;
const afInet6 = 10;
const sockDgramCloexec = 2 | 0o2000000;
const solSocket = 1;
const soReuseport = 15;
const soAttachReuseportCbpf = 51;
const soAcceptconn = 30;
const ipprotoTcp = 6;
const tcpDeferAccept = 9;
/** A listening socket is opened early, so its number is small. */
const maxDescriptor = 4096;

/** Finds the socket that listens on a TCP port, or on the path of a unix socket. Null when this process has none. */
export function findListeningSocket(place: number | string): ListeningSocket | null {
  for (let descriptor = 3; descriptor < maxDescriptor; descriptor += 1) {
    if (isListening(descriptor) && placeOf(descriptor) === place) return listeningSocket(descriptor);
  }
  return null;
}

/** The TCP port or the path that a socket is bound to; null for other sockets and for what is no socket. */
export function placeOf(descriptor: number): number | string | null {
  const address = new Uint8Array(128);
  const length = new Uint32Array([address.length]);
  if (libc().getsockname(descriptor, ptr(address), ptr(length)) !== 0) return null;
  const view = new DataView(address.buffer);
  const family = view.getUint16(0, true);
  if (family === afInet || family === afInet6) return view.getUint16(2);
  if (family !== afUnix) return null;
  return Buffer.from(address.subarray(2, length[0])).toString().replace(/\0.*$/s, "");
}

function isListening(descriptor: number): boolean {
  const value = new Int32Array(1);
  const length = new Uint32Array([4]);
  return libc().getsockopt(descriptor, solSocket, soAcceptconn, ptr(value), ptr(length)) === 0 && value[0] === 1;
}

function listeningSocket(descriptor: number): ListeningSocket {
  return {
    acceptAtOnce: () => setNumber(descriptor, ipprotoTcp, tcpDeferAccept, 0),
    share: () => setNumber(descriptor, solSocket, soReuseport, 1),
    yieldToNext() {
      // struct sock_filter: BPF_RET | BPF_K with the index of the second socket, as an answer for every connection. Once
      // this socket is closed there is no such index, and the kernel takes the one that is left (socket(7)).
      const filter = new Uint8Array([0x06, 0, 0, 0, 1, 0, 0, 0]);
      // struct sock_fprog: the number of instructions, six bytes of padding, and where they are.
      const program = new BigUint64Array([1n, BigInt(ptr(filter))]);
      libc().setsockopt(descriptor, solSocket, soAttachReuseportCbpf, ptr(program), program.byteLength);
    },
    close() {
      // The number stays taken, by a socket that nobody can reach: the runtime goes on as if it were its own.
      const { socket, dup2, close } = libc();
      const spare = socket(afUnix, sockDgramCloexec, 0);
      if (spare < 0) return;
      dup2(spare, descriptor);
      close(spare);
    },
  };
}

function setNumber(descriptor: number, level: number, name: number, value: number): void {
  libc().setsockopt(descriptor, level, name, ptr(new Int32Array([value])), 4);
}

/** Loaded when a listener is looked for, not at the start. */
let openedLibc: ReturnType<typeof openLibc> | undefined;

function libc() {
  openedLibc ??= openLibc();
  return openedLibc.symbols;
}

function openLibc() {
  return dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    dup2: { args: ["i32", "i32"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
  });
}
