import { dlopen } from "bun:ffi";

const libc = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
}).symbols;

/**
 * A real datagram socket like the one of a service manager, on a file or, with a leading `@`, in the abstract
 * namespace. A datagram between local sockets arrives as soon as it is sent, so `receive` never waits; null when there
 * is no datagram.
 */
export function openDatagramReceiver(name: string): { receive: () => string | null; close: () => void } {
  const path = name.startsWith("@") ? `\0${name.slice(1)}` : `${name}\0`;
  const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(path)]);
  const descriptor = libc.socket(1, 2, 0);
  if (descriptor < 0 || libc.bind(descriptor, address, address.length) !== 0) throw new Error(`cannot bind to ${name}`);
  const buffer = Buffer.alloc(4096);
  const msgDontwait = 0x40;
  return {
    receive() {
      const length = Number(libc.recv(descriptor, buffer, buffer.length, msgDontwait));
      return length < 0 ? null : buffer.toString("utf8", 0, length);
    },
    close() {
      libc.close(descriptor);
    },
  };
}
