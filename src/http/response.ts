/** What a handler answers: the router adds the correlation id and makes the response of the runtime from it. */
export type PlainResponse = {
  readonly status: number;
  /** Made for this answer alone: the router writes into it. */
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
};

/**
 * A JSON answer. Every call names the body of `src/wire` that it sends, as in `jsonResponse<KeyList>(200, { ... })`: a
 * call that names none does not compile.
 */
export function jsonResponse<Body = never>(
  status: number,
  body: NoInfer<Body>,
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return storedResponse(status, JSON.stringify(body), headers);
}

/** The same for a body that is text already, as a scan stores it, or that is made while it is sent. Nothing this API says may be kept by a cache on the way. */
export function storedResponse(
  status: number,
  body: string | ReadableStream<Uint8Array<ArrayBuffer>>,
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return { status, headers: { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers }, body };
}

/** The response of the runtime; to HEAD without the body, but with its length. */
export function makeResponse({ status, headers, body }: PlainResponse, method: string): Response {
  if (method !== "HEAD") return new Response(body, { status, headers });
  // The length of what is made on the way is not known.
  if (body instanceof ReadableStream) void body.cancel();
  else headers["Content-Length"] = String(body === null ? 0 : Buffer.byteLength(body));
  return new Response(null, { status, headers });
}
