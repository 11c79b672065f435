import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { createAuthority } from "./certificates.ts";

export type SiteRequest = {
  readonly host: string;
  readonly method: string;
  /** Path and query, not decoded. */
  readonly target: string;
  readonly body: string;
};

/** The reply to a request. `hang` never answers; `drop` closes the connection without an answer. */
export type SiteAnswer =
  | { readonly status: number; readonly headers?: object; readonly body?: string }
  | "hang"
  | "drop";

export type FakeInternet = {
  /** The outbound proxy that leads to it. */
  readonly proxy: string;
  /** The authority of its certificates. */
  readonly ca: string;
  /** All requests to sites so far. */
  readonly requests: readonly SiteRequest[];
  readonly close: () => Promise<void>;
};

export type FakeInternetOptions = {
  readonly answer: (request: SiteRequest) => SiteAnswer;
  /** The names of its sites, for their certificate. */
  readonly hosts: readonly string[];
  /** The reply to `CONNECT`, by host name: a tunnel, a refusal with a status, no answer, or a page in plain HTTP. */
  readonly tunnel?: (host: string) => "open" | "hang" | "drop" | "plain" | number;
};

/** An internet of sites on 127.0.0.1 that a program reaches through an outbound proxy, with TLS or without. */
export async function startFakeInternet(options: FakeInternetOptions): Promise<FakeInternet> {
  const authority = createAuthority("Test authority of a fake internet");
  const { cert, key } = authority.issue(options.hosts.map((host) => `DNS:${host}`));
  const requests: SiteRequest[] = [];
  const serve = (incoming: IncomingMessage, response: ServerResponse) => {
    readRequest(incoming).then(
      (request) => {
        requests.push(request);
        give(options.answer(request), response);
      },
      () => response.destroy(),
    );
  };
  const secure = createSecureServer({ cert, key }, serve);
  secure.on("tlsClientError", () => {});
  const plain = createServer(serve);
  const proxy = createServer(serve);
  proxy.on("connect", (request: IncomingMessage, socket: Socket) => {
    socket.on("error", () => {});
    const tunnel = options.tunnel?.(request.url?.split(":")[0] ?? "") ?? "open";
    if (typeof tunnel === "number") return void socket.end(`HTTP/1.1 ${tunnel} Refused\r\n\r\n`);
    if (tunnel === "hang") return;
    if (tunnel === "drop") return void socket.destroy();
    const target = connect({ host: "127.0.0.1", port: portOf(tunnel === "open" ? secure : plain) }, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    target.on("error", () => socket.destroy());
    socket.on("close", () => target.destroy());
  });
  const servers = [secure, plain, proxy];
  const open = new Set<Socket>();
  for (const server of servers) {
    server.on("connection", (socket: Socket) => {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => open.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  }
  return {
    proxy: `http://127.0.0.1:${portOf(proxy)}`,
    ca: authority.ca,
    requests,
    close: async () => {
      for (const socket of open) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

async function readRequest(incoming: IncomingMessage): Promise<SiteRequest> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  // Clients send the whole URL to a proxy.
  const url = new URL(incoming.url ?? "/", `https://${incoming.headers.host}`);
  const target = (incoming.url ?? "/").replace(/^http:\/\/[^/]*/, "");
  return { host: url.hostname, method: incoming.method ?? "", target, body: Buffer.concat(chunks).toString() };
}

function give(answer: SiteAnswer, response: ServerResponse): void {
  if (answer === "hang") return;
  if (answer === "drop") return void response.destroy();
  response.writeHead(answer.status, { ...answer.headers });
  response.end(answer.body ?? "");
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
