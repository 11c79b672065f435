import { promisify } from "node:util";
import type { Client } from "undici/index.js";
import { SourceError } from "../domain/error.ts";
import {
  type Connected,
  connectTcp,
  isForbiddenAddress,
  type Resolve,
  resolveHost,
  startTls,
  systemCa,
  trust,
} from "./connection.ts";
import { bypassesProxy } from "./no-proxy.ts";
import { openTurnstile } from "./turnstile.ts";

/** One request to an upstream. Addresses inside `url` are already percent-encoded. */
export type HttpRequest = {
  readonly method?: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Cap on the body after decompression, in bytes; default 1 MiB (CONTRACT.md 11.3). */
  readonly maxBytes?: number;
};

export type HttpResponse = {
  readonly status: number;
  /** Lower-case names; the last value of a repeated one. */
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
  /** URL of an http or https proxy, with name and password if it wants them; null goes direct. */
  readonly proxy: string | null;
  /** Targets that are asked without the proxy; see `bypassesProxy`. */
  readonly noProxy: readonly string[];
  /** PEM certificates that are trusted beside those of the system, or null. */
  readonly extraCa: string | null;
  /** PEM certificates of the system. */
  readonly systemCa?: string;
  /** Milliseconds for name, connection, tunnel and handshake together. */
  readonly connectTimeoutMs?: number;
  readonly resolve?: Resolve;
};

/** Loaded with the first request: an appliance in an air gap never does, and saves a quarter of its memory. */
const loadUndici = () => import("undici/index.js");
type Undici = Awaited<ReturnType<typeof loadUndici>>;

const defaultMaxBytes = 1024 * 1024;
const defaultConnectTimeoutMs = 10_000;
const maxConnections = 64;

/**
 * Opens the client that all HTTP traffic leaves through. Opens no socket before the first request; throws when
 * `proxy` or `extraCa` cannot be used. `close` ends running requests as `unreachable`.
 *
 * It goes on undici over sockets of its own, one connection per request: so the address that was checked is the one
 * that is asked, and an idle connection that the upstream closed meanwhile is never taken for a fault. What it was
 * measured to do on this runtime (verify, tunnel, cap, abort) stands in test/egress/client.test.ts.
 */
export function openHttpClient(options: HttpClientOptions): HttpClient & { readonly close: () => Promise<void> } {
  const { resolve = resolveHost, connectTimeoutMs = defaultConnectTimeoutMs } = options;
  const proxy = options.proxy === null ? null : parseProxy(options.proxy);
  // A certificate that cannot be used is told now; without one, the system's are read when they are needed.
  let knownTrust = options.extraCa === null ? null : trust([options.systemCa ?? systemCa(), options.extraCa]);
  const trusted = () => {
    knownTrust ??= trust([options.systemCa ?? systemCa()]);
    return knownTrust;
  };
  const turnstile = openTurnstile(maxConnections);
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();

  async function request(request: HttpRequest): Promise<HttpResponse> {
    const url = new URL(request.url);
    const signal = AbortSignal.any([request.signal, closing.signal]);
    try {
      await turnstile.enter(signal);
      try {
        const usedProxy = proxy === null || bypassesProxy(url, options.noProxy) ? null : proxy;
        const connected = await connect(url, usedProxy, signal);
        return await exchange(connected, url, usedProxy, request, signal);
      } finally {
        turnstile.leave();
      }
    } catch (error) {
      if (request.signal.aborted) throw new SourceError("timeout", `${url.host}: no whole answer in time`);
      if (closing.signal.aborted) throw new SourceError("unreachable", "the HTTP client was closed");
      throw error;
    }
  }

  /** A socket to the target, or to a proxy that forwards plain http. A set proxy that is down is a failure, never a detour. */
  async function connect(url: URL, usedProxy: Proxy | null, requestSignal: AbortSignal): Promise<Connected> {
    const limit = AbortSignal.timeout(connectTimeoutMs);
    const signal = AbortSignal.any([requestSignal, limit]);
    try {
      if (usedProxy === null) {
        const socket = await connectTcp(url, resolve, signal);
        return url.protocol === "https:" ? await startTls(socket, url, trusted(), signal) : socket;
      }
      // Names are resolved by the proxy, so that only a written address can be refused here.
      if (isForbiddenAddress(url.hostname)) throw new SourceError("unreachable", `${url.host}: refused address`);
      const socket = await connectTcp(usedProxy.url, resolve, signal);
      const toProxy =
        usedProxy.url.protocol === "https:" ? await startTls(socket, usedProxy.url, trusted(), signal) : socket;
      if (url.protocol === "http:") return toProxy;
      const tunnel = await openTunnel(toProxy, url, usedProxy, signal);
      return await startTls(tunnel, url, trusted(), signal);
    } catch (error) {
      if (limit.aborted) throw new SourceError("timeout", `${url.host}: no connection in time`);
      throw error;
    }
  }

  async function exchange(
    connected: Connected,
    url: URL,
    usedProxy: Proxy | null,
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const isForwarded = usedProxy !== null && url.protocol === "http:";
    const undici = await loadUndici();
    const client = clientOn(undici, connected, url.origin);
    try {
      const response = await client
        .request({
          method: request.method ?? "GET",
          path: isForwarded ? url.origin + url.pathname + url.search : url.pathname + url.search,
          headers: {
            ...lowerCaseNames(request.headers ?? {}),
            ...(isForwarded ? usedProxy.headers : {}),
            "user-agent": options.userAgent,
            "accept-encoding": Object.keys(decoders).join(", "),
          },
          body: request.body ?? null,
          reset: true,
          signal,
        })
        .catch((error: unknown) => {
          throw failureBeforeAnswer(undici, error, url);
        });
      const { statusCode: status } = response;
      if (status >= 300 && status < 400) throw new SourceError("redirect", `${url.host}: redirects are not followed`);
      if (isForwarded && status === 407) throw proxyRefusal(status);
      const maxBytes = request.maxBytes ?? defaultMaxBytes;
      const headers = lastValues(response.headers);
      const received = await readBody(response.body, maxBytes, url);
      return { status, headers, body: await decode(received, headers["content-encoding"], maxBytes, url) };
    } finally {
      connected.destroy();
      await client.destroy();
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
    },
  };
}

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

/** undici on a socket that is already open. Asking for a second one fails: a request is never sent twice. */
function clientOn({ Client }: Undici, connected: Connected, origin: string): Client {
  let isTaken = false;
  return new Client(origin, {
    // Not called back at once: undici 8 waits for ever when its connector answers within the call.
    connect: (_options, callback) =>
      queueMicrotask(() => {
        if (isTaken) return callback(new Error("the connection was closed"), null);
        isTaken = true;
        callback(null, connected);
      }),
    // The caller's signal is the only clock.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

async function openTunnel(socket: Connected, target: URL, proxy: Proxy, signal: AbortSignal): Promise<Connected> {
  const undici = await loadUndici();
  const client = clientOn(undici, socket, proxy.url.origin);
  const path = `${target.hostname}:${target.port || "443"}`;
  const reply = await client.connect({ path, headers: proxy.headers, signal }).catch((error: unknown) => {
    socket.destroy();
    throw failureBeforeAnswer(undici, error, proxy.url);
  });
  if (reply.statusCode === 200) return socket;
  socket.destroy();
  throw proxyRefusal(reply.statusCode);
}

function proxyRefusal(status: number): SourceError {
  return new SourceError("unreachable", `the proxy refused to forward the request (${status})`);
}

/** Nothing of a message of undici is repeated, only codes: a message might quote what was sent. */
function failureBeforeAnswer({ errors }: Undici, error: unknown, url: URL): SourceError {
  if (error instanceof errors.InvalidArgumentError) {
    return new SourceError("internal", `${url.host}: the request cannot be sent`);
  }
  const isBrokenHead =
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    (error instanceof errors.HTTPParserError && !error.message.includes("(Expected HTTP/"));
  return isBrokenHead
    ? new SourceError("bad_answer", `${url.host}: broken response head`)
    : new SourceError("unreachable", `${url.host}: closed before it answered`);
}

function lowerCaseNames(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function lastValues(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().at(-1) ?? ""]));
}

async function readBody(body: AsyncIterable<Uint8Array>, maxBytes: number, url: URL): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of body) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) break;
      chunks.push(chunk);
    }
  } catch {
    throw new SourceError("bad_answer", `${url.host}: the answer broke off`);
  }
  if (sizeBytes > maxBytes) throw tooLarge(url, maxBytes);
  return Buffer.concat(chunks);
}

/**
 * The encodings that are offered, and what node:zlib calls their decoders. Not zstd: the decoder of this runtime takes a
 * cut frame for a whole one, and half an answer must not read as one.
 */
const decoders = { gzip: "gunzip", deflate: "inflate", br: "brotliDecompress" } as const;

/** The decoder stops at the cap, so a bomb costs no more memory than an honest answer. */
async function decode(received: Buffer, encoding = "", maxBytes: number, url: URL): Promise<Uint8Array> {
  const name = encoding.trim().toLowerCase();
  if (name === "" || name === "identity" || received.length === 0) return received;
  const decoderName = Object.entries(decoders).find(([offered]) => offered === name)?.[1];
  if (decoderName === undefined) throw new SourceError("bad_answer", `${url.host}: an encoding that was not offered`);
  // Loaded with the first compressed answer: it takes a millisecond, which no start of the program has to wait for.
  const zlib = await import("node:zlib");
  const decoder = promisify<Buffer, { maxOutputLength: number }, Buffer>(zlib[decoderName]);
  try {
    return await decoder(received, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(url, maxBytes);
    throw new SourceError("bad_answer", `${url.host}: broken compression`);
  }
}

function tooLarge(url: URL, maxBytes: number): SourceError {
  return new SourceError("too_large", `${url.host}: more than ${maxBytes} bytes`);
}
