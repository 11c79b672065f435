import { isAbsolute } from "node:path";

/** An invalid setting. The message is one line that names the key and shows no secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(key: string, ...problem: [got: unknown, want: string] | [text: string]) {
    super(`${key}: ${problem.length === 1 ? problem[0] : `got ${shown(key, problem[0])}, want ${problem[1]}`}`);
  }
}

export function isIndexable(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null;
}

/** Joins keys with dots, as in the file. Quotes a key where necessary, so that a message stays one line. */
export function joinPath(...keys: readonly string[]): string {
  return keys
    .filter((key) => key !== "")
    .map((key) => (/^[\w.[\]-]+$/.test(key) ? key : JSON.stringify(key)))
    .join(".");
}

const maxShownLength = 200;

/** A setting with one of these words in its last part holds a secret, unless it is a path. */
const secretWord = /key|secret|token|password|credential|header/;

/** Settings that hold the path of a file: `secret_file`, `server.tls_key`, `sources.hibp.client_key`. */
const pathName = /_file$|^(?:tls|client)_key$/;

/**
 * A value for a message. Hides everything that is or may hold a secret, also for settings that are not known yet: the
 * name of the key decides. A secret in place of a path is hidden too. Shows only the origin of a URL.
 */
export function shown(key: string, value: unknown): string {
  const parts = key
    .replace(/ \(from .*\)$/, "")
    .toLowerCase()
    .split(".");
  const name = (parts.at(-1) ?? "").replace(/\[\d+\]$/, "");
  if (value === undefined) return "nothing";
  if (pathName.test(name)) return isPlainPath(value) ? JSON.stringify(value) : "(hidden)";
  // A text where a source's table is expected may be the key of the source.
  const isTable = parts[0] === "sources" && parts.length === 2;
  if (isTable ? typeof value === "string" : secretWord.test(name) || parts.some((part) => /\bheaders\b/.test(part)))
    return "(hidden)";
  if (/(?:^|_)url$|^(?!no_).*proxy$/.test(name)) return originOf(value) ?? "(hidden)";
  if (Array.isArray(value)) return "a list";
  if (isIndexable(value))
    return Object.prototype.toString.call(value) === "[object Object]" ? "a table" : String(value);
  // A URL may hold a password under any key.
  if (typeof value === "string" && value.includes("://")) return originOf(value) ?? "(hidden)";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length <= maxShownLength ? text : `${text.slice(0, maxShownLength)}...`;
}

function isPlainPath(value: unknown): boolean {
  return typeof value === "string" && isAbsolute(value) && value.length <= maxShownLength && !/\p{Cc}/u.test(value);
}

/** The origin of a URL in quotation marks; null for everything else. */
function originOf(value: unknown): string | null {
  const origin = typeof value === "string" ? (URL.parse(value)?.origin ?? "null") : "null";
  return origin === "null" ? null : JSON.stringify(origin);
}
