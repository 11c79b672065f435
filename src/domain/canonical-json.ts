import canonicalize from "canonicalize";

/** The RFC 8785 form of a value that came out of JSON. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("not a JSON value");
  return text;
}
