import { isUrl, type SiteRules, siteOf } from "./site.ts";

/** What is known of a text where a URL should stand: whether it is one, and its site, if it may be kept. */
export type KnownSite = { readonly isUrl: boolean; readonly site: string | null };

/** Sites by their URLs; when it is full it is emptied. */
const maxKnown = 8192;
const maxKeyLength = 300;

/** Finds the sites of URLs, and remembers them by what stands before the path: a site has many URLs. */
export class KnownSites {
  readonly #rules: SiteRules;
  readonly #known = new Map<string, KnownSite>();

  constructor(rules: SiteRules) {
    this.#rules = rules;
  }

  /** `bytes`: each character is a byte of the URL. */
  of(bytes: string): KnownSite {
    const authorityAt = /^(?:[a-z0-9+.-]+:\/+)*/i.exec(bytes)?.[0].length ?? 0;
    const pathAt = bytes.indexOf("/", authorityAt);
    const key = pathAt === -1 || bytes.includes("@") ? bytes : bytes.slice(0, pathAt + 1);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const url = Buffer.from(bytes, "latin1").toString("utf8");
    const found = { isUrl: isUrl(url, this.#rules), site: siteOf(url, this.#rules) };
    if (this.#known.size >= maxKnown) this.#known.clear();
    if (key.length <= maxKeyLength) this.#known.set(key, found);
    return found;
  }
}
