import { promisify } from "node:util";
import { SourceError } from "../domain/error.ts";
import {
  type ClientCertificate,
  type Connected,
  connectTcp,
  isForbiddenAddress,
  type Resolve,
  resolveHost,
  startTls,
  systemCa,
  trust,
} from "./connection.ts";
import { askForTunnel, type HttpConnection, speakHttp, tooLarge, Unanswered } from "./http-connection.ts";
import { openIdleConnections } from "./idle-connections.ts";
import { bypassesProxy } from "./no-proxy.ts";
import { openSemaphore, type Semaphore } from "./semaphore.ts";

/**
 * One request to an upstream. It only reads, so it is safe to repeat. Addresses in `url` must be percent-encoded
 * already.
 */
export type HttpRequest = {
  readonly method?: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Cap on the body after decompression, in bytes; default 1 MiB (docs/contract.md 11.3). */
  readonly maxBytes?: number;
  /** A name for calls with their own rate limit at the upstream. A 429 pauses only calls with this name. */
  readonly part?: string;
};

export type HttpResponse = {
  readonly status: number;
  /** Lower-case names; the last value of a repeated header. */
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body, decompressed. */
  readonly body: Uint8Array;
};

export type HttpClient = {
  /** Throws `SourceError`: `unreachable`, `tls`, `timeout`, `redirect`, `too_large`, `bad_answer` (broken body). */
  readonly request: (request: HttpRequest) => Promise<HttpResponse>;
};

export type HttpClientOptions = {
  /** `xpose/<version>`, sent with every request. */
  readonly userAgent: string;
  /** URL of an http or https proxy, with name and password if it needs them; null connects directly. */
  readonly proxy: string | null;
  /** Targets reached without the proxy; see `bypassesProxy`. */
  readonly noProxy: readonly string[];
  /** PEM certificates trusted in addition to those of the system, or null. */
  readonly extraCa: string | null;
  /** PEM certificates of the system. */
  readonly systemCa?: string;
  /** Sent to targets that ask for a certificate, never to the proxy; default: none. */
  readonly clientCertificate?: ClientCertificate | null;
  /** Milliseconds for name resolution, connection, tunnel and handshake together. */
  readonly connectTimeoutMs?: number;
  /** Maximum of open connections, idle ones included. */
  readonly maxConnections?: number;
  /** How long an idle connection is kept, in milliseconds. */
  readonly idleMs?: number;
  /** How long a connection accepts new requests, in milliseconds. */
  readonly maxAgeMs?: number;
  readonly resolve?: Resolve;
};

const defaultMaxBytes = 1024 * 1024;
const defaultConnectTimeoutMs = 10_000;
/**
 * With 512 a queue of scans runs a fifth faster, but the slowest hundredth of hits beside it takes 45 ms instead of 30:
 * so many answers arrive in one turn of the event loop.
 */
const defaultMaxConnections = 256;
/**
 * Concurrent connection attempts per target. A connection costs ten times a request, and many at once hold up the hits
 * (a thousand for 50 ms with 64 at once, 15 ms with 16). Counted per target, so that an unresponsive target does not
 * delay others.
 */
const maxConnecting = 16;
/** Common servers close an idle connection after five seconds or more. */
const defaultIdleMs = 4_000;
const defaultMaxAgeMs = 60_000;

/**
 * Opens the client for all outbound HTTP. Opens no socket before the first request. Throws when `proxy`, `extraCa` or
 * `clientCertificate` is unusable. `close` fails running requests as `unreachable`.
 *
 * Uses undici's HTTP client on sockets that it connects itself, so that the checked address is the connected address.
 * Connections are reused for the same origin and route for a while. If the upstream has closed a reused connection
 * before it answered, the request is sent once more on a new connection and no error is reported.
 * test/egress/client.test.ts measures how this runtime verifies, tunnels, caps and aborts.
 */
export function openHttpClient(options: HttpClientOptions): HttpClient & { readonly close: () => Promise<void> } {
  const { resolve = resolveHost, connectTimeoutMs = defaultConnectTimeoutMs } = options;
  const { maxConnections = defaultMaxConnections, idleMs = defaultIdleMs, maxAgeMs = defaultMaxAgeMs } = options;
  const proxy = options.proxy === null ? null : parseProxy(options.proxy);
  const { extraCa, clientCertificate = null } = options;
  const makeTrust = (own: ClientCertificate | null) =>
    trust([options.systemCa ?? systemCa(), ...(extraCa === null ? [] : [extraCa])], own);
  // Fail early for an unusable certificate. Without `extraCa` the system's certificates are read when first needed.
  let knownTrust = extraCa === null ? null : makeTrust(null);
  const trustedWithout = () => {
    knownTrust ??= makeTrust(null);
    return knownTrust;
  };
  const ownTrust = clientCertificate === null ? null : makeTrust(clientCertificate);
  const trustedWith = () => ownTrust ?? trustedWithout();
  const semaphore = openSemaphore(maxConnections);
  const connecting = new Map<string, Semaphore>();
  const idle = openIdleConnections();
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();

  async function request(request: HttpRequest): Promise<HttpResponse> {
    const url = new URL(request.url);
    const signal = AbortSignal.any([request.signal, closing.signal]);
    try {
      await semaphore.enter(signal);
      try {
        const usedProxy = proxy === null || bypassesProxy(url, options.noProxy) ? null : proxy;
        return await exchange({ url, usedProxy, signal }, request);
      } finally {
        semaphore.leave();
      }
    } catch (error) {
      if (request.signal.aborted) throw new SourceError("timeout", `${url.host}: no complete answer in time`);
      if (closing.signal.aborted) throw new SourceError("unreachable", "the HTTP client was closed");
      throw error;
    }
  }

  async function exchange(way: Way, request: HttpRequest): Promise<HttpResponse> {
    const route = `${way.usedProxy === null ? "direct" : "proxy"} ${way.url.origin}`;
    const kept = idle.take(route);
    if (kept !== null) {
      try {
        return await askOn(kept, route, way, request);
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
      }
    }
    // A request that was let in has room for one connection, but idle connections may occupy it.
    if (semaphore.enteredCount() + idle.count() > maxConnections) idle.closeOldest();
    const connection = await connect(route, way);
    connection.onClose(() => idle.drop(connection));
    return await askOn(connection, route, way, request);
  }

  async function connect(route: string, way: Way): Promise<HttpConnection> {
    const turns = connecting.get(route) ?? openSemaphore(maxConnecting);
    connecting.set(route, turns);
    await turns.enter(way.signal);
    try {
      return await speakHttp(await openSocket(way), way.url, { idleMs, maxAgeMs });
    } finally {
      turns.leave();
    }
  }

  /**
   * Opens a socket to the target, or to a proxy that forwards plain http. If a configured proxy is down, the request
   * fails; it never connects directly.
   */
  async function openSocket({ url, usedProxy, signal: requestSignal }: Way): Promise<Connected> {
    const limit = AbortSignal.timeout(connectTimeoutMs);
    const signal = AbortSignal.any([requestSignal, limit]);
    try {
      if (usedProxy === null) {
        const socket = await connectTcp(url, resolve, signal);
        return url.protocol === "https:" ? await startTls(socket, url, trustedWith(), signal) : socket;
      }
      // The proxy resolves names, so only literal addresses can be refused here.
      if (isForbiddenAddress(url.hostname)) throw new SourceError("unreachable", `${url.host}: refused address`);
      const socket = await connectTcp(usedProxy.url, resolve, signal);
      const toProxy =
        usedProxy.url.protocol === "https:" ? await startTls(socket, usedProxy.url, trustedWithout(), signal) : socket;
      if (url.protocol === "http:") return toProxy;
      const tunnel = await openTunnel(toProxy, url, usedProxy, signal);
      return await startTls(tunnel, url, trustedWith(), signal);
    } catch (error) {
      if (limit.aborted) throw new SourceError("timeout", `${url.host}: no connection in time`);
      throw error;
    }
  }

  async function askOn(
    connection: HttpConnection,
    route: string,
    { url, usedProxy, signal }: Way,
    request: HttpRequest,
  ): Promise<HttpResponse> {
    const isForwarded = usedProxy !== null && url.protocol === "http:";
    const path = url.pathname + url.search;
    const maxBytes = request.maxBytes ?? defaultMaxBytes;
    try {
      const { status, headers, body } = await connection.ask({
        method: request.method ?? "GET",
        path: isForwarded ? url.origin + path : path,
        headers: {
          ...lowerCaseNames(request.headers ?? {}),
          ...(isForwarded ? usedProxy.headers : {}),
          "user-agent": options.userAgent,
          "accept-encoding": offeredEncodings,
        },
        body: request.body ?? null,
        maxBytes,
        signal,
        checkHead(status) {
          if (isForwarded && status === 407) throw proxyRefusal(status);
          if (status < 300 || status >= 400) return;
          throw new SourceError("redirect", `${url.host}: redirects are not followed`);
        },
      });
      const decoded = await decode(body, headers["content-encoding"], maxBytes, url);
      idle.put(route, connection);
      return { status, headers, body: decoded };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  return {
    request: async (one) => {
      const answer = request(one);
      running.add(answer);
      try {
        return await answer;
      } finally {
        running.delete(answer);
      }
    },
    close: async () => {
      closing.abort();
      await Promise.allSettled(running);
      await idle.closeAll();
    },
  };
}

/** The target of a request, the proxy, and the signal that limits it. */
type Way = { readonly url: URL; readonly usedProxy: Proxy | null; readonly signal: AbortSignal };

type Proxy = { readonly url: URL; readonly headers: Readonly<Record<string, string>> };

function parseProxy(text: string): Proxy {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new TypeError("the proxy must be an http or https URL");
  }
  if (url.username === "" && url.password === "") return { url, headers: {} };
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { url, headers: { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` } };
}

async function openTunnel(socket: Connected, target: URL, proxy: Proxy, signal: AbortSignal): Promise<Connected> {
  try {
    const status = await askForTunnel(socket, proxy, `${target.hostname}:${target.port || "443"}`, signal);
    if (status !== 200) throw proxyRefusal(status);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function proxyRefusal(status: number): SourceError {
  return new SourceError("unreachable", `the proxy refused to forward the request (${status})`);
}

function lowerCaseNames(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/**
 * The encodings we offer, with the names of their decoders in node:zlib. Not zstd: the decoder of this runtime accepts
 * a truncated frame, and a truncated answer must not pass as complete.
 */
const decoders = { gzip: "gunzip", deflate: "inflate", br: "brotliDecompress" } as const;

const offeredEncodings = Object.keys(decoders).join(", ");

/**
 * Decompresses a body. The decoder stops at the cap, so a decompression bomb costs no more memory than a normal answer.
 */
async function decode(received: Buffer, encoding = "", maxBytes: number, url: URL): Promise<Uint8Array> {
  // x-gzip is an alias of gzip (RFC 9110, 8.4.1.3).
  const name = encoding
    .trim()
    .toLowerCase()
    .replace(/^x-gzip$/, "gzip");
  if (name === "" || name === "identity" || received.length === 0) return received;
  const decoderName = Object.entries(decoders).find(([offered]) => offered === name)?.[1];
  if (decoderName === undefined) throw new SourceError("bad_answer", `${url.host}: an encoding that was not offered`);
  // Loaded with the first compressed answer: it takes a millisecond, which would delay every start.
  const zlib = await import("node:zlib");
  const decoder = promisify<Buffer, { maxOutputLength: number }, Buffer>(zlib[decoderName]);
  try {
    return await decoder(received, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(url, maxBytes);
    throw new SourceError("bad_answer", `${url.host}: broken compression`);
  }
}
