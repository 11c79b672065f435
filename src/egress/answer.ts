import { SourceError } from "../domain/error.ts";
import type { HttpResponse } from "./client.ts";

const maxDepth = 32;
const dayMs = 24 * 60 * 60 * 1000;

/**
 * The JSON value of a 200. Throws what `failureOf` says about another status, and `bad_answer` when the body is not
 * JSON by its content type, its bytes (UTF-8) and its form, nests deeper than 32 (docs/contract.md 11.3), or is a problem
 * document (RFC 9457): that is an error by its name, whatever the status says.
 */
export function parseJsonAnswer(response: HttpResponse): unknown {
  if (response.status !== 200) throw failureOf(response);
  const value = parseJsonBody(response);
  if (isProblem(response, value)) throw new SourceError("bad_answer", "a problem document");
  return value;
}

/**
 * What a service said that does not know the address: its JSON value, or null for an empty body. Throws what `failureOf`
 * says where the answer is no such 404: a page, plain text or a problem document comes from a proxy, a gateway or a
 * framework before the service, and says nothing about the address (docs/pipeline.md 21.12).
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

/** Why an answer with another status than 200 is a failure (docs/contract.md 6.5). A 404 is one too, unless the source says not. */
export function failureOf(response: HttpResponse): SourceError {
  const { status } = response;
  const message = `answered ${status}`;
  if (status === 429) return new SourceError("rate_limited", message);
  if (wantsClientCertificate(response)) {
    const text = `${message}: it wants a client certificate, or another one`;
    return new SourceError("tls", text, { tlsFault: "client_certificate" });
  }
  // HTML with 401 or 403 comes from a proxy or a filter before the service, and says nothing about the key.
  if ((status === 401 || status === 403) && isJsonAnswer(response)) return new SourceError("auth", message);
  if (status >= 500) return new SourceError("http_5xx", message);
  if (status >= 400) return new SourceError("http_4xx", message);
  if (status >= 300) return new SourceError("redirect", message);
  return new SourceError("bad_answer", message);
}

/** True for an answer that asks to come back later: a 429, or a 503 that says when. */
export function asksToWait({ status, headers }: HttpResponse): boolean {
  return status === 429 || (status === 503 && headers["retry-after"] !== undefined);
}

const shortestWaitMs = 1000;

/**
 * How long an upstream asks to wait, in milliseconds: `Retry-After` as seconds or an HTTP date (RFC 9110, 10.2.3), else
 * `X-Rate-Limit-Reset` as seconds left, which is what MISP sends. At least a second, because less would be answered
 * with the next refusal, and at most a day, so that a broken upstream cannot silence a source for good; null without a
 * usable one.
 */
export function retryAfterMs(headers: HttpResponse["headers"], now: Date): number | null {
  const text = (headers["retry-after"] ?? headers["x-rate-limit-reset"])?.trim() ?? "";
  const waitMs = waitOf(text, now);
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, shortestWaitMs), dayMs);
}

/** Parts of a second and negative numbers are no seconds of the RFC, but clear: NaN is for what says nothing. */
function waitOf(text: string, now: Date): number {
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text);
  return isDate ? Date.parse(text) - now.getTime() : Number.NaN;
}

function isBlank(body: Uint8Array): boolean {
  return new TextDecoder().decode(body).trim() === "";
}

/** By its media type, or by the members that make one where a framework sends it as plain JSON. */
function isProblem({ headers }: HttpResponse, value: unknown): boolean {
  if (/^application\/problem\+json\b/i.test(headers["content-type"]?.trim() ?? "")) return true;
  if (typeof value !== "object" || value === null || !("title" in value) || !("status" in value)) return false;
  const { title, status } = value;
  return typeof title === "string" && typeof status === "number" && status >= 400 && status < 600;
}

/** Web servers and gateways that ask for a certificate end the handshake all the same, and say so on a page. */
function wantsClientCertificate({ status, body }: HttpResponse): boolean {
  if (![400, 403, 495, 496].includes(status)) return false;
  const words = /no required ssl certificate was sent|the ssl certificate error|client certificate (?:is )?required/i;
  return words.test(new TextDecoder().decode(body.subarray(0, 4096)));
}

/** True when the body is JSON, by its type and its form: what a service says itself mostly is, what a proxy says is not. */
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

/** `application/json` or `application/<name>+json`, in UTF-8. */
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

/** Counts brackets outside of strings, before the parser could run out of stack on them. */
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
