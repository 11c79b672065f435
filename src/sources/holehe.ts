import * as z from "zod/mini";
import { canonicalDomain } from "../domain/email.ts";
import { SourceError, type SourceErrorReason, sourceErrorReasons } from "../domain/error.ts";
import { capFindings, type Details, makeFinding, mergeFindings } from "../domain/finding.ts";
import { isSensitiveSite, sensitiveDomains } from "../domain/sensitive-site.ts";
import { compareText } from "../domain/text.ts";
import driver from "./holehe-driver.py" with { type: "text" };
import type { SourceKind, SourceReply } from "./source.ts";

const wantedPython = "a program name or an absolute path of a Python interpreter";

const settings = z.lazy(() =>
  z.strictObject({
    python: z._default(
      z.string(wantedPython).check(z.regex(/^(?!-)(?:\/.+|[^/]+)$/, wantedPython), z.regex(/^\P{Cc}+$/u, wantedPython)),
      "python3",
    ),
    allow_sensitive: z._default(z.boolean("true or false"), false),
  }),
);

/** The library's own default for one site. */
const secondsPerQuestion = 10;
/** Time for a run: starting Python, loading about 120 modules, and asking all sites at once, some of them twice. */
const runMs = 25_000;
const maxOutputBytes = 1024 * 1024;

/**
 * Modules that write to the owner of the address, or come close (docs/sources.md); future ones are recognised by the
 * method they state.
 */
const passwordRecovery = ["adobe", "mail_ru", "odnoklassniki", "samsung", "password recovery"];
/** Its module does not ask the site it names. */
const misleading = "facebook.com";

/** Folders of holehe, and modules that are not named like their domain. */
const sensitiveModules = ["adult", "dating", "health", "medical", "politics", "porn", "religion", "sevencups"];

/**
 * Sites whose modules read an error, a block page or an empty answer as "not registered". Such an answer proves nothing
 * (docs/sources.md).
 */
const constantNo: ReadonlySet<string> = new Set(
  [
    "7cups.com amazon.com archive.org armurerie-auxerre.com axonaut.com blip.fm bodybuilding.com caringbridge.org",
    "diigo.com docker.com dominos.fr en.gravatar.com envato.com fanpop.com flickr.com freelancer.com laposte.fr nike.com",
    "office365.com parler.com sporcle.com taringa.net tellonym.me wattpad.com",
    // These modules never answer anything else.
    "bitmoji.com snapchat.com soundcloud.com",
  ].flatMap((line) => line.split(" ")),
);

/** Modules that encode only the `@` of an address, so the driver does not find the address in the URL. */
const halfEncoding = ["soundcloud", "xnxx"];
/** With one of these characters, such modules would ask about another address. */
const needsEncoding = /[+#&%/?]/;

/**
 * Accounts found by the Python package holehe, which asks about 120 public sites. Our driver calls its modules; its own
 * command, which upgrades itself from the network, is never run (docs/contract.md 11.6a). Only `exists` is evidence:
 * `false` is often wrong and counts as no information. If less than half of the sites give a usable answer, the source
 * fails (docs/pipeline.md 21.11).
 */
export const holehe: SourceKind<z.infer<typeof settings>> = {
  kind: "holehe",
  // Sites change and the modules are not maintained, but an account they find usually exists.
  confidence: 0.7,
  isOnline: true,
  settings,
  allowsSensitive: ({ allow_sensitive }) => allow_sensitive,
  pace: null,
  maxConcurrent: 1,
  timeoutMs: 60_000,
  lookup: async ({ value: email }, { settings: { python, allow_sensitive }, child, deadline, signal }) => {
    const skip = [...passwordRecovery, misleading, nameOf(misleading), ...(allow_sensitive ? [] : sensitiveNames())];
    const unsupported = needsEncoding.test(email) ? halfEncoding : [];
    // Not evidence: it only tells the driver's lines from lines forged by a module.
    const nonce = crypto.randomUUID();
    const { output } = await child.run({
      command: [python, "-I", "-c", driver],
      stdin: JSON.stringify({ nonce, email, skip, unsupported, seconds: secondsPerQuestion }),
      maxOutputBytes,
      latestStart: new Date(deadline.getTime() - runMs),
      signal,
    });
    const isWanted = ({ domain }: Site) =>
      domain === null || (domain !== misleading && (allow_sensitive || !isSensitiveSite(domain)));
    return replyOf(parseRun(output, nonce).filter(isWanted));
  },
};

function sensitiveNames(): string[] {
  return [...sensitiveModules, ...sensitiveDomains, ...sensitiveDomains.map(nameOf)];
}

/** The name of holehe's module for a site. */
function nameOf(domain: string): string {
  return domain.split(".")[0] ?? domain;
}

const siteMessage = z.lazy(() =>
  z.object({
    domain: z.nullable(z.string()),
    outcome: z.enum(["exists", "unused", ...sourceErrorReasons]),
    detail: z.nullable(z.string()),
  }),
);
const endMessage = z.lazy(() => z.object({ sites: z.int().check(z.minimum(0)) }));
const missingMessage = z.lazy(() => z.object({ missing: z.string() }));
const message = z.lazy(() => z.union([siteMessage, endMessage, missingMessage]));

/** The result for one site, asked or not. */
type Site = {
  readonly domain: string | null;
  /** A usable answer, or why there is none. */
  readonly outcome: "exists" | "unused" | SourceErrorReason;
  readonly detail: string | null;
};

/**
 * Parses the driver's report. Throws `not_installed` when a package is missing, and `bad_answer` when the end mark is
 * missing or its count differs: an incomplete run must not pass as complete.
 */
function parseRun(output: Uint8Array, nonce: string): Site[] {
  const sites: Site[] = [];
  let end: z.infer<typeof endMessage> | null = null;
  for (const line of new TextDecoder().decode(output).split("\n")) {
    if (!line.startsWith(`${nonce} `)) continue;
    const parsed = parseMessage(line.slice(nonce.length + 1));
    if ("missing" in parsed) throw missingPackage(parsed.missing);
    if ("sites" in parsed) end = parsed;
    else sites.push(siteOf(parsed));
  }
  if (end === null || end.sites !== sites.length) throw new SourceError("bad_answer", "the run of holehe ended early");
  return sites;
}

function parseMessage(json: string): z.infer<typeof message> {
  try {
    return message.parse(JSON.parse(json));
  } catch (cause) {
    throw new SourceError("bad_answer", "the driver of holehe wrote an invalid message", { cause });
  }
}

/**
 * The name comes from an import statement of an installed package, so it is shown only if it looks like a package name.
 */
function missingPackage(name: string | null): SourceError {
  const shown = name !== null && /^[A-Za-z0-9_.]{1,50}$/.test(name) ? name : "holehe";
  return new SourceError("not_installed", `the Python package ${shown} is missing or cannot be imported`);
}

function siteOf({ domain: text, outcome, detail }: z.infer<typeof siteMessage>): Site {
  const domain = text === null ? null : canonicalDomain(text);
  const isWorthless = outcome === "unused" && domain !== null && constantNo.has(domain);
  const isNameless = (outcome === "unused" || outcome === "exists") && domain === null;
  return isWorthless || isNameless ? { domain, outcome: "bad_answer", detail: null } : { domain, outcome, detail };
}

function replyOf(sites: readonly Site[]): SourceReply {
  const unusable = sites.filter(isUnusable);
  if (sites.length === 0) throw new SourceError("bad_answer", "holehe has no site left to ask");
  if (unusable.length * 2 > sites.length) throw failure(sites.length, unusable);
  const details: Details = {
    rate_limited_sites: domainsOf(unusable.filter(({ outcome }) => outcome === "rate_limited")),
    unusable_sites: domainsOf(unusable.filter(({ outcome }) => outcome !== "rate_limited")),
    sites_asked: sites.length,
    sites_failed: unusable.length,
  };
  const findings = domainsOf(sites.filter(({ outcome }) => outcome === "exists")).map((domain) =>
    makeFinding({
      category: "account",
      severity: "low",
      title: `Account registered on ${domain}`,
      sourceUrl: `https://${domain}`,
      subject: domain,
      details,
    }),
  );
  const missing = unusable.length === 0 ? [] : [`${unusable.length} of ${sites.length} sites`];
  return { findings: capFindings(mergeFindings(findings)), missing };
}

type UnusableSite = Site & { readonly outcome: SourceErrorReason };

function isUnusable(site: Site): site is UnusableSite {
  return site.outcome !== "exists" && site.outcome !== "unused";
}

/** Sorted domains without duplicates. Sites without a domain are left out. */
function domainsOf(sites: readonly Site[]): string[] {
  return [...new Set(sites.flatMap(({ domain }) => domain ?? []))].sort(compareText);
}

/** The most frequent reason, with the most frequent detail among these. */
function failure(askedCount: number, unusable: readonly UnusableSite[]): SourceError {
  const reason = mostFrequent(unusable.map(({ outcome }) => outcome)) ?? "internal";
  const alike = unusable.filter(({ outcome }) => outcome === reason);
  const detail = mostFrequent(alike.map((site) => site.detail));
  if (reason === "not_installed") return missingPackage(detail);
  const told = detail === null ? "" : `: ${detail}`;
  return new SourceError(
    reason,
    `${unusable.length} of ${askedCount} sites gave no usable answer, ${alike.length} of them for this reason${told}`,
  );
}

/** The most frequent text; null for an empty list. Ties are resolved alphabetically. */
function mostFrequent<Text extends string | null>(texts: readonly Text[]): Text | null {
  const counts = new Map<Text, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  const [first] = [...counts].sort(([a, one], [b, other]) => other - one || compareText(a ?? "", b ?? ""));
  return first?.[0] ?? null;
}
