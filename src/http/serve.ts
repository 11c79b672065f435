import { chmodSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import { AppError } from "../domain/error.ts";
import type { Peer } from "./caller.ts";
import { errorResponse } from "./errors.ts";
import { makeResponse } from "./response.ts";

export type ServerSettings = {
  readonly listen:
    | { readonly kind: "tcp"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string };
  /** Mode of the unix socket, as 0o660. */
  readonly socketMode: number;
  /** PEM texts; `clientCa` asks every client for a certificate of that authority. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | null } | null;
};

export type RunningServer = {
  /** `http://127.0.0.1:8080`, `https://[::1]:8443`, `unix:/run/xpose.sock`. */
  readonly address: string;
  /** Takes no new connection, lets answers under way end for at most `graceMs`, then closes what is left. */
  readonly stop: (graceMs: number) => Promise<void>;
};

/** Longer than the longest answer, a POST that waits 50 s for its scan: a handler beyond this loses its client. */
const idleTimeoutSeconds = 90;

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
  const options = {
    ...(tls === null ? {} : { tls: tlsOptions(tls) }),
    development: false,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    // Reached only if the router itself fails.
    error: () => makeResponse(errorResponse(new AppError("internal_error", "The request could not be served")), "GET"),
  };
  const server =
    listen.kind === "tcp"
      ? Bun.serve({
          ...options,
          hostname: listen.host,
          port: listen.port,
          // Said in so many words: left out, this runtime lets a second local process share the port.
          reusePort: false,
          idleTimeout: idleTimeoutSeconds,
          fetch(request, tcpServer) {
            // A client that is gone has no address; null would make it the trusted peer of a unix socket.
            return respond(request, { address: tcpServer.requestIP(request)?.address ?? "0.0.0.0", isTls });
          },
        })
      : Bun.serve({
          ...options,
          unix: listen.path,
          fetch(request, unixServer) {
            unixServer.timeout(request, idleTimeoutSeconds);
            return respond(request, { address: null, isTls });
          },
        });
  if (listen.kind === "unix") chmodSync(listen.path, settings.socketMode);
  return {
    address: listen.kind === "unix" ? `unix:${listen.path}` : addressOf(listen.host, server.port ?? 0, isTls),
    async stop(graceMs) {
      const isDone = await Promise.race([server.stop().then(() => true), Bun.sleep(graceMs).then(() => false)]);
      if (!isDone) await Promise.race([server.stop(true), Bun.sleep(graceMs)]);
      if (listen.kind === "unix" && existsSync(listen.path)) unlinkSync(listen.path);
    },
  };
}

function tlsOptions({ cert, key, clientCa }: NonNullable<ServerSettings["tls"]>) {
  return { cert, key, ...(clientCa === null ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }) };
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
