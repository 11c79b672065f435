import { dlopen } from "bun:ffi";

// From the Linux headers; the same on x64 and arm64.
const afUnix = 1;
const sockDgram = 2;
const sockCloexec = 0o2000000;
const msgNosignal = 0x4000;
/** Length of `sun_path`, the zero at the end of a file's path included (unix(7)). */
const maxPathBytes = 108;

/**
 * A `sockaddr_un`: family, then the path of a file and a zero, or for `@name` a zero and the name (abstract). Null when
 * the text is neither: other kinds of sockets are for virtual machines.
 */
export function unixSocketAddress(text: string): Uint8Array | null {
  const isAbstract = text.startsWith("@");
  if (!isAbstract && !text.startsWith("/")) return null;
  const path = Buffer.from(isAbstract ? `\0${text.slice(1)}` : `${text}\0`);
  return path.length <= maxPathBytes ? Buffer.concat([new Uint16Array([afUnix]), path].map(bytesOf)) : null;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Opened with the first datagram. The runtime has no datagram sockets on files. */
let openedLibc: ReturnType<typeof openLibc> | undefined;

function openLibc() {
  return dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
}

/** Sends one datagram to an address of `unixSocketAddress`. Returns false when it could not be handed over whole. */
export function sendUnixDatagram(address: Uint8Array, message: string): boolean {
  openedLibc ??= openLibc();
  const { socket, sendto, close } = openedLibc.symbols;
  const descriptor = socket(afUnix, sockDgram | sockCloexec, 0);
  if (descriptor < 0) return false;
  const bytes = Buffer.from(message);
  const sentCount = sendto(descriptor, bytes, bytes.length, msgNosignal, address, address.length);
  close(descriptor);
  return Number(sentCount) === bytes.length;
}
