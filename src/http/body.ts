import { AppError } from "../domain/error.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a JSON body of at most `maxBytes`, whatever its declared length. Throws `payload_too_large`,
 * `unsupported_media_type` or `malformed_json`, in this order (docs/contract.md 2, 3.2). The limit of the runtime is
 * not used, because it answers before our checks and without our error body.
 *
 * `isFramed` is set when the request comes from the HTTP parser, which ends a body at its declared length. Such a body
 * is read in one piece, at a third of the cost of a stream.
 */
export async function readJson(request: Request, maxBytes: number, { isFramed = false } = {}): Promise<unknown> {
  return parseJson(request.headers, await readBytes(request, maxBytes, isFramed));
}

/** A body of JSON, or of text with something on each line. */
export type JsonOrLines =
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "lines"; readonly lines: readonly string[] };

/**
 * The same for a body that may also be `text/plain` or `text/csv`: its lines, without blanks at their ends and without empty
 * ones; a line in quotation marks loses them. Throws like `readJson`, and `invalid_request` when the text is not UTF-8.
 */
export async function readJsonOrLines(request: Request, maxBytes: number): Promise<JsonOrLines> {
  const { headers } = request;
  const bytes = await readBytes(request, maxBytes, true);
  const type = headers.get("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase();
  const isText = type === "text/plain" || type === "text/csv";
  if (!isText || !isPlain(headers.get("Content-Encoding"))) {
    return { kind: "json", value: parseJson(headers, bytes, "application/json, text/plain or text/csv") };
  }
  try {
    const lines = utf8.decode(bytes).split(/\r\n|\n|\r/);
    return { kind: "lines", lines: lines.map(unquoted).filter((line) => line !== "") };
  } catch (cause) {
    throw new AppError("invalid_request", "The body is not text in UTF-8", { cause });
  }
}

function unquoted(line: string): string {
  const text = line.trim();
  return /^"[^"]*"$/.test(text) ? text.slice(1, -1).trim() : text;
}

async function readBytes(request: Request, maxBytes: number, isFramed: boolean): Promise<Uint8Array> {
  const length = request.headers.get("Content-Length");
  const isWhole = isFramed && length !== null && Number(length) <= maxBytes;
  return isWhole ? await request.bytes().catch(brokenOff) : await readStream(request, maxBytes);
}

function parseJson(headers: Headers, bytes: Uint8Array, types = "application/json"): unknown {
  if (!isJson(headers.get("Content-Type")) || !isPlain(headers.get("Content-Encoding"))) {
    throw new AppError("unsupported_media_type", `The body must be ${types} without a content encoding`);
  }
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    throw new AppError("malformed_json", "The body is not valid JSON in UTF-8", { cause });
  }
}

function isJson(contentType: string | null): boolean {
  if (contentType === "application/json") return true;
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === "application/json";
}

function isPlain(contentEncoding: string | null): boolean {
  return contentEncoding === null || ["", "identity"].includes(contentEncoding.trim().toLowerCase());
}

async function readStream(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new AppError("payload_too_large", `The body is larger than ${maxBytes} bytes`);
  if (Number(request.headers.get("Content-Length") ?? 0) > maxBytes) {
    await discardBody(request);
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength;
      // Leaving the loop cancels the stream.
      if (size > maxBytes) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    brokenOff(cause);
  }
  if (size > maxBytes) throw tooLarge();
  return Buffer.concat(chunks);
}

/** The client closed the connection during the body, so the error is a client error. */
function brokenOff(cause: unknown): never {
  throw new AppError("malformed_json", "The body broke off", { cause });
}

/** Cancels an unread body, because the server does not limit its size. */
export async function discardBody(request: Request): Promise<void> {
  await request.body?.cancel();
}
