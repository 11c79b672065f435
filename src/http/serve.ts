import { chmodSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import { AppError } from "../domain/error.ts";
import type { Listener, Peer } from "./caller.ts";
import { guardDescriptors } from "./descriptor-guard.ts";
import { errorResponse } from "./errors.ts";
import { findListeningSocket, type ListeningSocket } from "./listening-socket.ts";
import { makeResponse } from "./response.ts";
import { type TlsFiles, tlsOptions } from "./tls-options.ts";

export type ServerSettings = {
  readonly listen:
    | { readonly kind: "tcp"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string };
  /** Mode of the unix socket, as 0o660. */
  readonly socketMode: number;
  readonly tls: TlsFiles | null;
  /** How many files and connections this process may have open at once. */
  readonly descriptorLimit: number;
};

export type RunningServer = {
  /** `http://127.0.0.1:8080`, `https://[::1]:8443`, `unix:/run/xpose.sock`. */
  readonly address: string;
  /**
   * Connections from now on get these files; open ones end with their next answer. Throws what is wrong with the files,
   * and the files in use stay.
   */
  readonly renewTls: (files: TlsFiles) => Promise<void>;
  /**
   * Answers what was sent on open connections, each time with `Connection: close`, until nothing came for a moment, at
   * most `lingerMs`. Then it refuses new connections, does the same once more for the last of them, lets answers under
   * way end for at most `graceMs`, and closes what is left.
   */
  readonly stop: (times: { readonly lingerMs: number; readonly graceMs: number }) => Promise<void>;
};

/**
 * The runtime closes a connection so long after its last answer, or after its start: also one that sends its request
 * byte by byte, or does not take its answer. It counts in steps of 4 s: slow clients are gone after 12 s.
 */
const idleTimeoutSeconds = 10;
/** Nothing has come for so long: then nothing is on its way. */
const quietMs = 100;
const quietPollMs = 10;
/** For the runtime to close what is left. */
const closeMs = 500;
/** Two listeners share the port so long: the old one takes the connections that the kernel has already given it. */
const handOverMs = 100;
/** By then every connection of before a renewal has been idle for too long, or waits for an answer. */
const retireAfterMs = 20_000;

/** One listener of the runtime, and what is to become of its connections. */
type Running = {
  readonly server: Bun.Server<undefined>;
  readonly place: number | string;
  isClosing: boolean;
};

/**
 * Starts the HTTP server. Throws the system's error when the address cannot be had. All limits are ours: the runtime's
 * own body limit would answer without our error body, and its development page shows source code.
 */
export async function startServer(
  settings: ServerSettings,
  respond: (request: Request, peer: Peer) => Promise<Response>,
): Promise<RunningServer> {
  const { listen, tls } = settings;
  const isTls = tls !== null;
  if (listen.kind === "unix") await removeStaleSocket(listen.path);
  const steadyNow = () => performance.now();
  let arrivedCount = 0;
  const spare = (remotePort: number, seconds: number) => guard?.spare(remotePort, steadyNow() + seconds * 1000);

  function open(files: TlsFiles | null, port: number, isShared = false): Running {
    const options = {
      ...(files === null ? {} : { tls: tlsOptions(files) }),
      development: false,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      // Reached only if the router itself fails.
      error: () =>
        makeResponse(errorResponse(new AppError("internal_error", "The request could not be served")), "GET"),
    };
    const listener: Listener = {
      isClosing: () => running.isClosing,
      keepOpen(request, seconds) {
        server.timeout(request, seconds);
        const remote = server.requestIP(request);
        if (remote !== null) spare(remote.port, seconds);
      },
    };
    const server =
      listen.kind === "tcp"
        ? Bun.serve({
            ...options,
            hostname: listen.host,
            port,
            // Said in so many words: left out, this runtime lets a second local process share the port.
            reusePort: isShared,
            idleTimeout: idleTimeoutSeconds,
            fetch(request, tcpServer) {
              arrivedCount += 1;
              // A client that is gone has no address; null would make it the trusted peer of a unix socket.
              const address = tcpServer.requestIP(request)?.address ?? "0.0.0.0";
              return respond(request, { address, isTls, listener });
            },
          })
        : Bun.serve({
            ...options,
            // Its idle time-out is that of above by default, and cannot be set.
            unix: listen.path,
            fetch(request) {
              arrivedCount += 1;
              return respond(request, { address: null, isTls, listener });
            },
          });
    if (listen.kind === "unix") chmodSync(listen.path, settings.socketMode);
    const place = listen.kind === "unix" ? listen.path : (server.port ?? 0);
    const running: Running = { server, place, isClosing: false };
    return running;
  }

  /** Resolves once no request has come for a moment, at the latest after `maxMs`. */
  async function untilQuiet(maxMs: number): Promise<void> {
    const end = steadyNow() + maxMs;
    let [seenCount, since] = [arrivedCount, steadyNow()];
    while (steadyNow() < end && steadyNow() - since < quietMs) {
      await Bun.sleep(quietPollMs);
      if (arrivedCount !== seenCount) [seenCount, since] = [arrivedCount, steadyNow()];
    }
  }

  /** From now on every answer is the last one of its connection. */
  function beginClosing(running: Running): ListeningSocket | null {
    running.isClosing = true;
    const socket = findListeningSocket(running.place);
    if (listen.kind === "tcp") socket?.acceptAtOnce();
    return socket;
  }

  const retired = new Set<Running>();
  /** Ends a listener whose place another one takes, when its last answer is out. */
  function retire(running: Running, afterMs: number): void {
    retired.add(running);
    const end = () => void running.server.stop().finally(() => retired.delete(running));
    if (afterMs === 0) end();
    else setTimeout(end, afterMs).unref();
  }

  let current = open(tls, listen.kind === "tcp" ? listen.port : 0);
  const port = current.server.port ?? 0;
  const guard = listen.kind === "tcp" ? guardDescriptors(port, settings.descriptorLimit, steadyNow) : null;

  return {
    address: listen.kind === "unix" ? `unix:${listen.path}` : addressOf(listen.host, port, isTls),
    async renewTls(next) {
      if (!isTls) throw new Error("the service was started without TLS");
      // Checked before anything changes, because the runtime reads the files only for a new listener.
      const { createSecureContext } = await import("node:tls");
      createSecureContext({ cert: next.cert, key: next.key, ...(next.clientCa === null ? {} : { ca: next.clientCa }) });
      const old = current;
      if (listen.kind === "unix") {
        // No two sockets share a path: a proxy that connects in between tries again.
        retire(old, 0);
        current = open(next, port);
        return;
      }
      const socket = findListeningSocket(old.place);
      socket?.share();
      current = open(next, port, true);
      socket?.acceptAtOnce();
      socket?.yieldToNext();
      old.isClosing = true;
      await Bun.sleep(handOverMs);
      socket?.close();
      retire(old, retireAfterMs);
    },
    async stop({ lingerMs, graceMs }) {
      guard?.stop();
      const socket = beginClosing(current);
      await untilQuiet(lingerMs);
      socket?.close();
      await untilQuiet(lingerMs);
      const servers = [current, ...retired].map(({ server }) => server);
      const ended = Promise.all(servers.map((server) => server.stop()));
      await Promise.race([ended, untilAnswered(servers, graceMs)]);
      // Over TLS the runtime waits for clients that do not close their side.
      await Promise.race([Promise.all(servers.map((server) => server.stop(true))), Bun.sleep(closeMs)]);
      if (listen.kind === "unix" && existsSync(listen.path)) unlinkSync(listen.path);
    },
  };
}

/** Resolves once no request has been under way for a moment, at the latest after `maxMs`. */
async function untilAnswered(servers: readonly Bun.Server<undefined>[], maxMs: number): Promise<void> {
  const end = performance.now() + maxMs;
  let since = performance.now();
  while (performance.now() < end && performance.now() - since < quietMs) {
    await Bun.sleep(Math.min(quietPollMs, maxMs));
    if (servers.some(({ pendingRequests }) => pendingRequests > 0)) since = performance.now();
  }
}

function addressOf(host: string, port: number, isTls: boolean): string {
  return `${isTls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * A socket file that a killed process left is removed, but only once it is sure that nobody listens on it. Anything else
 * at the path is somebody's file: it stays.
 */
async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is no socket`);
  const isListening = await Bun.connect({ unix: path, socket: { data: () => undefined } }).then(
    (socket) => {
      socket.end();
      return true;
    },
    () => false,
  );
  if (isListening) throw new Error(`another process listens on ${path}`);
  unlinkSync(path);
}
