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

/** A value for a message. Hides everything that is or may hold a secret; shows only the origin of a URL. */
function shown(key: string, value: unknown): string {
  const name = key.replace(/ \(from .*\)$/, "");
  if (value === undefined) return "nothing";
  if (/(?:^|[._])(?:api_key|secret)(?:\[\d+\])?$|\bheaders\b/.test(name)) return "(hidden)";
  // A text where a source's table is expected may be the key of the source.
  if (/^sources\.[a-z]+$/.test(name) && typeof value === "string") return "(hidden)";
  if (/_file$/.test(name) && !(typeof value === "string" && isAbsolute(value))) return "(hidden)";
  if (/(?:^|[._])url$|\.proxy$/.test(name)) {
    const origin = typeof value === "string" ? (URL.parse(value)?.origin ?? "null") : "null";
    return origin === "null" ? "(hidden)" : JSON.stringify(origin);
  }
  if (Array.isArray(value)) return "a list";
  if (isIndexable(value))
    return Object.prototype.toString.call(value) === "[object Object]" ? "a table" : String(value);
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length <= maxShownLength ? text : `${text.slice(0, maxShownLength)}...`;
}
