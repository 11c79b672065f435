import { SourceError } from "../domain/error.ts";
import type { HttpResponse } from "./client.ts";

const maxDepth = 32;
const dayMs = 24 * 60 * 60 * 1000;

/**
 * Parses the JSON of a 200. Throws the error of `failureOf` for another status. Throws `bad_answer` when the body is
 * not JSON by content type, encoding (UTF-8) and syntax, when it nests deeper than 32 (docs/contract.md 11.3), or when
 * it is a problem document (RFC 9457), which is an error whatever the status says.
 */
export function parseJsonAnswer(response: HttpResponse): unknown {
  if (response.status !== 200) throw failureOf(response);
  const value = parseJsonBody(response);
  if (isProblem(response, value)) throw new SourceError("bad_answer", "a problem document");
  return value;
}

/**
 * Parses the 404 of a service that does not know the address: its JSON, or null for an empty body. Throws the error of
 * `failureOf` for any other answer. A page, plain text or a problem document comes from a proxy, gateway or framework
 * in front of the service and says nothing about the address (docs/pipeline.md 21.12).
 */
export function parseNotFound(response: HttpResponse): unknown {
  if (response.status !== 404) throw failureOf(response);
  if (isBlank(response.body)) return null;
  let value: unknown;
  try {
    value = parseJsonBody(response);
  } catch {
    throw failureOf(response);
  }
  if (isProblem(response, value)) throw failureOf(response);
  return value;
}

/**
 * The failure for a status other than 200 (docs/contract.md 6.5). A 404 is a failure unless the source treats it as
 * "unknown".
 */
export function failureOf(response: HttpResponse): SourceError {
  const { status } = response;
  const message = `answered ${status}`;
  if (status === 429) return new SourceError("rate_limited", message);
  if (wantsClientCertificate(response)) {
    const text = `${message}: the service requires a client certificate, or a different one`;
    return new SourceError("tls", text, { tlsFault: "client_certificate" });
  }
  // HTML with 401 or 403 comes from a proxy or filter in front of the service and says nothing about the key.
  if ((status === 401 || status === 403) && isJsonAnswer(response)) return new SourceError("auth", message);
  if (status >= 500) return new SourceError("http_5xx", message);
  if (status >= 400) return new SourceError("http_4xx", message);
  if (status >= 300) return new SourceError("redirect", message);
  return new SourceError("bad_answer", message);
}

/** Whether an answer asks to retry later: a 429, or a 503 with `Retry-After`. */
export function asksToWait({ status, headers }: HttpResponse): boolean {
  return status === 429 || (status === 503 && headers["retry-after"] !== undefined);
}

const shortestWaitMs = 1000;

/**
 * How long an upstream asks to wait, in milliseconds: `Retry-After` in seconds or as an HTTP date (RFC 9110, 10.2.3),
 * otherwise `X-Rate-Limit-Reset` in seconds, as sent by MISP. At least a second, because a shorter wait would only be
 * refused again; at most a day, so that a broken upstream cannot silence a source for good. Null when neither header is
 * usable.
 */
export function retryAfterMs(headers: HttpResponse["headers"], now: Date): number | null {
  const text = (headers["retry-after"] ?? headers["x-rate-limit-reset"])?.trim() ?? "";
  const waitMs = waitOf(text, now);
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, shortestWaitMs), dayMs);
}

/**
 * Parses a wait in milliseconds; NaN for unusable text. Fractions and negative numbers are outside the RFC but
 * unambiguous.
 */
function waitOf(text: string, now: Date): number {
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text);
  return isDate ? Date.parse(text) - now.getTime() : Number.NaN;
}

function isBlank(body: Uint8Array): boolean {
  return new TextDecoder().decode(body).trim() === "";
}

/** Whether a value is a problem document: by media type, or by its members if a framework sends plain JSON. */
function isProblem({ headers }: HttpResponse, value: unknown): boolean {
  if (/^application\/problem\+json\b/i.test(headers["content-type"]?.trim() ?? "")) return true;
  if (typeof value !== "object" || value === null || !("title" in value) || !("status" in value)) return false;
  const { title, status } = value;
  return typeof title === "string" && typeof status === "number" && status >= 400 && status < 600;
}

/**
 * Whether the server asks for a client certificate. Web servers and gateways complete the handshake and then say so on
 * a page.
 */
function wantsClientCertificate({ status, body }: HttpResponse): boolean {
  if (![400, 403, 495, 496].includes(status)) return false;
  const words = /no required ssl certificate was sent|the ssl certificate error|client certificate (?:is )?required/i;
  return words.test(new TextDecoder().decode(body.subarray(0, 4096)));
}

/** Whether the body is JSON by type and syntax. Services usually answer in JSON, proxies do not. */
export function isJsonAnswer(response: HttpResponse): boolean {
  try {
    parseJsonBody(response);
    return true;
  } catch {
    return false;
  }
}

function parseJsonBody(response: HttpResponse): unknown {
  if (!isJsonType(response.headers["content-type"] ?? "")) throw new SourceError("bad_answer", "not of a JSON type");
  const text = decodeUtf8(response.body);
  if (isDeeperThan(text, maxDepth)) throw new SourceError("bad_answer", `nested deeper than ${maxDepth}`);
  try {
    return JSON.parse(text);
  } catch {
    throw new SourceError("bad_answer", "not JSON");
  }
}

/** Whether the type is `application/json` or `application/<name>+json`, in UTF-8. */
function isJsonType(contentType: string): boolean {
  const [type = "", ...parameters] = contentType
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  return /^application\/(?:[\w.-]+\+)?json$/.test(type) && (charset === undefined || /^"?utf-?8"?$/.test(charset));
}

function decodeUtf8(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new SourceError("bad_answer", "not UTF-8");
  }
}

/** Counts brackets outside strings, because the parser could overflow its stack on deep input. */
function isDeeperThan(json: string, limit: number): boolean {
  let depth = 0;
  let isInString = false;
  for (let index = 0; index < json.length; index += 1) {
    const character = json[index];
    if (isInString && character === "\\") index += 1;
    else if (character === '"') isInString = !isInString;
    else if (isInString) continue;
    else if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}
