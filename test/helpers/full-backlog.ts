import { dlopen } from "bun:ffi";
import { connect, type Socket } from "node:net";

/**
 * A port of 127.0.0.1 on which connections are neither refused nor established, like behind a firewall that drops
 * packets: a listening socket with a full queue that never accepts. Servers of the runtime always accept, so libc makes
 * the socket.
 */
export async function startFullBacklog(): Promise<{ port: number; close: () => void }> {
  const libc = dlopen("libc.so.6", {
    socket: { args: ["int", "int", "int"], returns: "int" },
    bind: { args: ["int", "ptr", "u32"], returns: "int" },
    listen: { args: ["int", "int"], returns: "int" },
    getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
    close: { args: ["int"], returns: "int" },
  });
  const [afInet, sockStream] = [2, 1];
  const fd = libc.symbols.socket(afInet, sockStream, 0);
  // struct sockaddr_in: family, port in network order, address.
  const address = new Uint8Array(16);
  address[0] = afInet;
  address.set([127, 0, 0, 1], 4);
  libc.symbols.bind(fd, address, address.length);
  libc.symbols.listen(fd, 0);
  libc.symbols.getsockname(fd, address, new Uint32Array([address.length]));
  const port = new DataView(address.buffer).getUint16(2);
  const filler = await connected(port);
  return {
    port,
    close: () => {
      filler.destroy();
      libc.symbols.close(fd);
      libc.close();
    },
  };
}

/** A queue of length 0 is full with one connection. */
function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(socket));
    socket.on("error", reject);
  });
}
