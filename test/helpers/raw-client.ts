import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A connection on which a test writes bytes as they are. */
export type RawClient = AsyncDisposable & {
  readonly socket: Socket;
  readonly write: (bytes: string | Uint8Array) => void;
  /** Ends the own side only. */
  readonly end: () => void;
  /** Everything received so far, as Latin-1. */
  readonly received: () => string;
  /** The statuses of all answers that came so far, in their order. */
  readonly statuses: () => number[];
  /** Resolves once so many final answers have begun, or the connection is closed. */
  readonly answers: (count: number) => Promise<number[]>;
  /** Resolves with the milliseconds since the connection was made. */
  readonly closed: Promise<number>;
};

/** Connects to `http://host:port` or `https://host:port`; certificates are not checked. */
export async function rawClient(address: string): Promise<RawClient> {
  const { protocol, hostname, port } = new URL(address);
  const options = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port), allowHalfOpen: true };
  const socket: Socket =
    protocol === "https:" ? connectTls({ ...options, rejectUnauthorized: false }) : connectPlain(options);
  const startedAt = performance.now();
  const { promise: closed, resolve: close } = Promise.withResolvers<number>();
  const changes = new Set<() => void>();
  const changed = () => {
    for (const look of [...changes]) look();
  };
  let text = "";
  let isClosed = false;
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    changed();
  });
  const over = () => {
    isClosed = true;
    close(performance.now() - startedAt);
    changed();
  };
  socket.on("end", over);
  socket.on("close", over);
  // A reset is a way to close.
  socket.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    socket.once(protocol === "https:" ? "secureConnect" : "connect", resolve);
    socket.once("close", () => reject(new Error("the connection was refused")));
  });
  const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    received: () => text,
    statuses,
    answers(count) {
      const { promise, resolve } = Promise.withResolvers<number[]>();
      const look = () => {
        if (!isClosed && statuses().filter((status) => status >= 200).length < count) return;
        changes.delete(look);
        resolve(statuses());
      };
      changes.add(look);
      look();
      return promise;
    },
    closed,
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}
