import { canonicalDomain } from "./email.ts";
import { serviceDomains } from "./service-domains.ts";

/**
 * Subjects for sources that only say "in some breach" and name no service (docs/contract.md 7.5). Every finding of the
 * listed categories corroborates them.
 */
export const generalSubjects = {
  "any-breach": ["breach"],
  "any-credential": ["credential_leak", "infostealer"],
  "any-infostealer": ["infostealer"],
  "any-paste": ["paste"],
  "any-account": ["account"],
} as const satisfies Record<string, readonly string[]>;

const maxSubjectLength = 253;

/**
 * Returns the subject of a finding: the domain of a service (`linkedin.com`), else the slug of a leak's name. `text` is
 * a domain, a URL, the name of a service or leak, or a general subject. `aliases` (slug of a name -> domain) take
 * precedence over the built-in list. Never empty: a name without a letter or digit gives `unnamed`.
 */
export function subjectOf(text: string, aliases?: ReadonlyMap<string, string>): string {
  const name = text.slice(0, 1024).toWellFormed().trim().toLowerCase();
  if (Object.hasOwn(generalSubjects, name)) return name;
  const domain = domainOf(name);
  if (domain !== null) return domain;
  // Cut by code points: an unpaired surrogate has no UTF-8 form.
  const nameSlug = [...slug(name)].slice(0, maxSubjectLength).join("") || "unnamed";
  return aliases?.get(nameSlug) ?? serviceDomains.get(nameSlug) ?? nameSlug;
}

/** The domain in `example.com`, `www.example.com.` or `https://example.com/login`, else null. */
function domainOf(name: string): string | null {
  const host = /^(?:https?:\/\/)?(?:www\.)?([^/:?#@\s]+?)\.?(?::\d+)?(?:[/?#].*)?$/.exec(name)?.[1];
  return host === undefined ? null : canonicalDomain(host);
}

/** Letters and digits in lower case, joined by single hyphens: `Example Shop!` -> `example-shop`. */
export function slug(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
}
