/** The answer of a handler. The router adds the correlation id and makes a `Response` from it. */
export type PlainResponse = {
  readonly status: number;
  /** Not shared between answers, because the router writes into this object. */
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
};

/**
 * A JSON answer. Every call must name the body of `src/wire` that it sends, as in
 * `jsonResponse<KeyList>(200, { ... })`; without the name it does not compile.
 */
export function jsonResponse<Body = never>(
  status: number,
  body: NoInfer<Body>,
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return storedResponse(status, JSON.stringify(body), headers);
}

/**
 * A JSON answer whose body is already text, as scans store it, or is made while it is sent. No cache may keep an answer of
 * this API.
 */
export function storedResponse(
  status: number,
  body: string | ReadableStream<Uint8Array<ArrayBuffer>>,
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return { status, headers: { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers }, body };
}

/** Makes the `Response` of the runtime. HEAD gets no body, but its length. */
export function makeResponse({ status, headers, body }: PlainResponse, method: string): Response {
  if (method !== "HEAD") return new Response(body, { status, headers });
  // The length of what is made on the way is not known.
  if (body instanceof ReadableStream) void body.cancel();
  else headers["Content-Length"] = String(body === null ? 0 : Buffer.byteLength(body));
  return new Response(null, { status, headers });
}
