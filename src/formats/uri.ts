const allowed = /^(?:[a-z0-9\-._~:/?@!$&'()*+,;=]|%[0-9a-f]{2})*$/i;
const notAllowed = /%(?![0-9a-f]{2})|[^a-z0-9\-._~:/?@!$&'()*+,;=%]/giu;

/**
 * A web address in the characters of RFC 3986, as STIX and Markdown require. Encodes what browsers encode before a
 * request.
 */
export function uri(url: string): string {
  if (allowed.test(url)) return url;
  const href = URL.parse(url)?.href ?? url;
  // Only an IPv6 address may have brackets.
  const host = /^https?:\/\/\[[0-9a-f:.]+\]/i.exec(href)?.[0] ?? "";
  const [rest = "", ...fragment] = href.slice(host.length).split("#");
  const end = fragment.length === 0 ? "" : `#${encoded(fragment.join("#"))}`;
  return host + encoded(rest) + end;
}

function encoded(text: string): string {
  return text.replaceAll(notAllowed, encodeURIComponent);
}
