import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect } from "node:net";
import type { Certificate } from "./certificates.ts";

export type ProxyServer = {
  readonly url: string;
  /** Received requests, `CONNECT host:port` and `GET http://...`, with their credentials. */
  readonly seen: readonly { readonly request: string; readonly credentials: string | null }[];
  readonly close: () => Promise<void>;
};

/**
 * A forwarding proxy on 127.0.0.1, over https when it has a certificate. Every tunnel ends at the requested port of
 * 127.0.0.1, whatever its host name; plain requests get a fixed answer. `refuseWith` is a status for all requests.
 */
export async function startProxyServer(
  options: { certificate?: Certificate; refuseWith?: number } = {},
): Promise<ProxyServer> {
  const seen: { request: string; credentials: string | null }[] = [];
  const note = (request: IncomingMessage) =>
    seen.push({
      request: `${request.method} ${request.url}`,
      credentials: request.headers["proxy-authorization"] ?? null,
    });
  const server: Server =
    options.certificate === undefined ? createServer() : createSecureServer({ ...options.certificate });
  server.on("request", (request, response) => {
    note(request);
    response.writeHead(options.refuseWith ?? 200, { "content-type": "application/json" });
    response.end('{"from":"proxy"}');
  });
  server.on("connect", (request, socket) => {
    note(request);
    socket.on("error", () => {});
    if (options.refuseWith !== undefined) {
      socket.end(`HTTP/1.1 ${options.refuseWith} Refused\r\n\r\n`);
      return;
    }
    const target = connect({ host: "127.0.0.1", port: Number(request.url?.split(":").at(-1)) }, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    target.on("error", () => socket.destroy());
    socket.on("close", () => target.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
  return {
    url: `${options.certificate === undefined ? "http" : "https"}://localhost:${address.port}`,
    seen,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
