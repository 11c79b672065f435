import { SourceError } from "../domain/error.ts";
import type { HttpResponse } from "./client.ts";

const maxDepth = 32;
const dayMs = 24 * 60 * 60 * 1000;

/**
 * The JSON value of a 200. Throws what `failureOf` says about another status, and `bad_answer` when the body is not
 * JSON by its content type, its bytes (UTF-8) and its form, or nests deeper than 32 (CONTRACT.md 11.3).
 */
export function parseJsonAnswer(response: HttpResponse): unknown {
  if (response.status !== 200) throw failureOf(response);
  return parseJsonBody(response);
}

/** Why an answer with another status than 200 is a failure (CONTRACT.md 6.5). A 404 is one too, unless the source says not. */
export function failureOf(response: HttpResponse): SourceError {
  const { status } = response;
  const message = `answered ${status}`;
  if (status === 429) return new SourceError("rate_limited", message);
  // HTML with 401 or 403 comes from a proxy or a filter before the service, and says nothing about the key.
  if ((status === 401 || status === 403) && hasJsonBody(response)) return new SourceError("auth", message);
  if (status >= 500) return new SourceError("http_5xx", message);
  if (status >= 400) return new SourceError("http_4xx", message);
  if (status >= 300) return new SourceError("redirect", message);
  return new SourceError("bad_answer", message);
}

/**
 * How long an upstream asks to wait, in milliseconds: `Retry-After` as whole seconds or an HTTP date (RFC 9110, 10.2.3),
 * else `X-Rate-Limit-Reset` as seconds left, which is what MISP sends. At most a day, so that a broken upstream cannot silence a source for good; null without a usable one.
 */
export function retryAfterMs(headers: HttpResponse["headers"], now: Date): number | null {
  const text = (headers["retry-after"] ?? headers["x-rate-limit-reset"])?.trim() ?? "";
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, dayMs);
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return null;
  const waitMs = Date.parse(text) - now.getTime();
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, 0), dayMs);
}

function hasJsonBody(response: HttpResponse): boolean {
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
