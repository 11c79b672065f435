import canonicalize from "canonicalize";

/** The RFC 8785 form of a JSON value. Throws `TypeError` for a value that JSON cannot hold. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("not a JSON value");
  return text;
}
