import type { Client } from "undici/index.js";
import { SourceError } from "../domain/error.ts";
import { codeOf } from "./code-of.ts";
import type { Connected } from "./connection.ts";
import { tlsError, tlsFaultOf } from "./tls-fault.ts";

/** HTTP/1.1 on one open connection, one request at a time. */
export type HttpConnection = {
  /**
   * Throws `SourceError`: `Unanswered` when the connection closes before the first byte of the answer, `unreachable`
   * when it closes within the head, `bad_answer` for a broken head or body, `too_large`, and `internal` when the
   * request cannot be sent. Also throws the errors of `checkHead` and the reason of `signal`. After any error the
   * connection is unusable.
   */
  readonly ask: (question: Question) => Promise<RawAnswer>;
  /** Whether another request may be sent: no side has closed the connection or announced it, and it is not too old. */
  readonly isReusable: () => boolean;
  /** Calls `listener` when either side closes the connection. */
  readonly onClose: (listener: () => void) => void;
  readonly close: () => Promise<void>;
};

export type Question = {
  readonly method: "GET" | "POST";
  /** The path as written in the request line. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Cap on the received body, in bytes. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Called with the status before the body is read. */
  readonly checkHead: (status: number) => void;
};

export type RawAnswer = {
  readonly status: number;
  /** Lower-case names; the last value of a repeated header. */
  readonly headers: Readonly<Record<string, string>>;
  /** The received body, possibly compressed. */
  readonly body: Buffer;
};

/** No byte of an answer was received, so an idempotent request may be sent again. */
export class Unanswered extends SourceError {
  constructor(host: string) {
    super("unreachable", `${host}: closed before it answered`);
  }
}

/** Loaded with the first connection: an appliance in an air gap never loads it and saves a quarter of its memory. */
const loadUndici = () => import("undici/index.js");
type Undici = Awaited<ReturnType<typeof loadUndici>>;

/** How long a connection is used, in milliseconds. */
export type ConnectionLife = {
  /** Idle connections are closed after this, or earlier if the upstream says so in `Keep-Alive`. */
  readonly idleMs: number;
  /**
   * After this no more requests are sent, so that the name and the certificate are checked again on a new connection.
   */
  readonly maxAgeMs: number;
};

/** Speaks HTTP on an open socket, and only on this one. */
export async function speakHttp(connected: Connected, url: URL, life: ConnectionLife): Promise<HttpConnection> {
  // With TLS 1.3 a server refuses our client certificate only after the handshake, and undici then reports only that
  // the other side hung up. The refusal may arrive while undici is being loaded, so listen first.
  let tlsCode: string | null = null;
  connected.on("error", (error) => {
    if (tlsFaultOf(codeOf(error)) !== null) tlsCode = codeOf(error);
  });
  const undici = await loadUndici();
  const client = clientOn(undici, connected, url.origin, life.idleMs);
  const reusableUntil = performance.now() + life.maxAgeMs;

  async function close(): Promise<void> {
    connected.destroy();
    await client.destroy();
  }

  return {
    ask({ method, path, headers, body, maxBytes, signal, checkHead }) {
      if (signal.aborted) return Promise.reject(signal.reason);
      const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      let hasBegun = false;
      let head: Omit<RawAnswer, "body"> | null = null;
      const giveUp = () => {
        reject(signal.reason);
        void close();
      };
      signal.addEventListener("abort", giveUp, { once: true });
      client.dispatch(
        { method, path, headers, body },
        {
          onRequestStart() {},
          onResponseStarted() {
            hasBegun = true;
          },
          onResponseStart(_controller, status, received) {
            if (status < 200) return;
            checkHead(status);
            head = { status, headers: lastValues(received) };
          },
          onResponseData(_controller, chunk) {
            sizeBytes += chunk.length;
            if (sizeBytes > maxBytes) throw tooLarge(url, maxBytes);
            chunks.push(chunk);
          },
          onResponseEnd() {
            signal.removeEventListener("abort", giveUp);
            if (head === null) reject(new SourceError("internal", `${url.host}: an answer without a head`));
            else resolve({ ...head, body: Buffer.concat(chunks) });
          },
          onResponseError(_controller, error) {
            signal.removeEventListener("abort", giveUp);
            if (error instanceof SourceError) reject(error);
            else if (head !== null) reject(new SourceError("bad_answer", `${url.host}: the answer broke off`));
            else if (tlsCode !== null) reject(tlsError(url.host, tlsCode));
            else reject(failureBeforeHead(undici, error, url, hasBegun));
          },
        },
      );
      return promise;
    },
    onClose: (listener) => void connected.once("close", listener),
    isReusable: () => !connected.destroyed && performance.now() < reusableUntil,
    close,
  };
}

export function tooLarge(url: URL, maxBytes: number): SourceError {
  return new SourceError("too_large", `${url.host}: more than ${maxBytes} bytes`);
}

/** Asks a proxy for a tunnel to `host:port`. Returns the status; after a 200 the socket is the tunnel. */
export async function askForTunnel(
  socket: Connected,
  proxy: { readonly url: URL; readonly headers: Readonly<Record<string, string>> },
  target: string,
  signal: AbortSignal,
): Promise<number> {
  const undici = await loadUndici();
  const client = clientOn(undici, socket, proxy.url.origin, 1);
  try {
    return (await client.connect({ path: target, headers: proxy.headers, signal })).statusCode;
  } catch (error) {
    throw failureBeforeHead(undici, error, proxy.url, true);
  }
}

/** Creates an undici client on an open socket. Connecting a second time fails, so everything is sent on this socket. */
function clientOn({ Client }: Undici, connected: Connected, origin: string, idleMs: number): Client {
  let isTaken = false;
  return new Client(origin, {
    // Called back in a microtask: undici 8 waits for ever when its connector answers synchronously.
    connect: (_options, callback) =>
      queueMicrotask(() => {
        if (isTaken) return callback(new Error("the connection was closed"), null);
        isTaken = true;
        callback(null, connected);
      }),
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
    // The caller's signal is the only time limit.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/**
 * Classifies a failure before the head of the answer. Never repeats messages of undici, only codes: a message may quote
 * the request.
 */
function failureBeforeHead({ errors }: Undici, error: unknown, url: URL, hasBegun: boolean): SourceError {
  if (error instanceof errors.InvalidArgumentError) {
    return new SourceError("internal", `${url.host}: the request cannot be sent`);
  }
  if (error instanceof errors.HTTPParserError && error.message.includes("(Expected HTTP/")) {
    return new SourceError("unreachable", `${url.host}: does not speak HTTP`);
  }
  const isBrokenHead =
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    error instanceof errors.HTTPParserError;
  if (isBrokenHead) return new SourceError("bad_answer", `${url.host}: broken response head`);
  if (hasBegun) return new SourceError("unreachable", `${url.host}: closed before it answered`);
  return new Unanswered(url.host);
}

function lastValues(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().at(-1) ?? ""]));
}
