import * as z from "zod/mini";
import { canonicalDomain } from "../domain/email.ts";
import { SourceError } from "../domain/error.ts";
import { capFindings, compareText, type Details, type Finding, makeFinding, mergeFindings } from "../domain/finding.ts";
import { isSensitiveSite, sensitiveDomains } from "../domain/sensitive-site.ts";
import driver from "./holehe-driver.py" with { type: "text" };
import type { SourceKind } from "./source.ts";

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
const secondsPerSite = 10;
/** What a run needs: starting Python, loading about 120 modules, and then all sites at once. */
const runMs = 20_000;
const maxOutputBytes = 1024 * 1024;

/** They write to the owner of the address, or come near it (sources/holehe.md); new ones by their own word for it. */
const passwordRecovery = ["adobe", "mail_ru", "odnoklassniki", "samsung", "password recovery"];
/** Its module does not ask the site that it names. */
const misleading = "facebook.com";

/** Folders of holehe and modules that are not named like their domain. */
const sensitiveModules = ["adult", "dating", "health", "medical", "politics", "porn", "religion", "sevencups"];

/**
 * Accounts found by the Python package holehe, which asks about 120 public sites. A driver of ours calls its modules;
 * its own command upgrades itself from the network and is never run (CONTRACT.md 11.6a). Only `exists` is evidence:
 * `false` is often wrong, so it is never more than silence.
 */
export const holehe: SourceKind<z.infer<typeof settings>> = {
  kind: "holehe",
  // Sites change and nobody mends the modules: what they find is there, more often than not.
  confidence: 0.7,
  isOnline: true,
  settings,
  pace: null,
  maxConcurrent: 1,
  timeoutMs: 60_000,
  lookup: async ({ value: email }, { settings: { python, allow_sensitive }, child, deadline, signal }) => {
    if (!isSafelyAsked(email)) throw new SourceError("unsupported", "holehe cannot be asked about such an address");
    const skip = [...passwordRecovery, misleading, nameOf(misleading), ...(allow_sensitive ? [] : sensitiveNames())];
    // Not part of any evidence: it only tells the driver's lines from those of a module that forges some.
    const nonce = crypto.randomUUID();
    const { output } = await child.run({
      command: [python, "-I", "-c", driver],
      stdin: JSON.stringify({ nonce, email, skip, seconds: secondsPerSite }),
      maxOutputBytes,
      latestStart: new Date(deadline.getTime() - runMs),
      signal,
    });
    const run = parseRun(output, nonce);
    const isWanted = (domain: string) => domain !== misleading && (allow_sensitive || !isSensitiveSite(domain));
    return { findings: findingsOf(run, isWanted) };
  },
};

/**
 * Most modules paste the address into a URL as it is: with other characters they would ask about another address, and
 * what they find would be evidence about somebody else.
 */
function isSafelyAsked(email: string): boolean {
  return /^[a-z0-9_][a-z0-9._+-]*@[a-z0-9.-]+$/.test(email);
}

function sensitiveNames(): string[] {
  return [...sensitiveModules, ...sensitiveDomains, ...sensitiveDomains.map(nameOf)];
}

/** The name that holehe gives the module of a site. */
function nameOf(domain: string): string {
  return domain.split(".")[0] ?? domain;
}

const siteMessage = z.lazy(() =>
  z.object({
    domain: z.nullable(z.string()),
    exists: z.boolean(),
    rateLimit: z.boolean(),
    error: z.boolean(),
  }),
);
const endMessage = z.lazy(() =>
  z.object({ asked: z.int().check(z.minimum(0)), unusable: z.int().check(z.minimum(0)) }),
);
const missingMessage = z.lazy(() => z.object({ missing: z.string() }));
const message = z.lazy(() => z.union([siteMessage, endMessage, missingMessage]));

type Site = { readonly domain: string; readonly state: "exists" | "unused" | "rate_limited" };
type Run = { readonly sites: readonly Site[]; readonly askedCount: number; readonly failedCount: number };

/**
 * What the driver reported. Throws `not_installed` when a package is missing, `bad_answer` when the end mark is missing
 * or counts other lines: half a run must not read as one.
 */
function parseRun(output: Uint8Array, nonce: string): Run {
  const answers: z.infer<typeof siteMessage>[] = [];
  let end: z.infer<typeof endMessage> | null = null;
  for (const line of new TextDecoder().decode(output).split("\n")) {
    if (!line.startsWith(`${nonce} `)) continue;
    const parsed = parseMessage(line.slice(nonce.length + 1));
    if ("missing" in parsed) throw missing(parsed.missing);
    if ("asked" in parsed) end = parsed;
    else answers.push(parsed);
  }
  if (end === null || end.asked !== answers.length) throw new SourceError("bad_answer", "the run of holehe broke off");
  const sites = answers.flatMap(siteOf);
  return { sites, askedCount: end.asked, failedCount: end.unusable + answers.length - sites.length };
}

function parseMessage(json: string): z.infer<typeof message> {
  try {
    return message.parse(JSON.parse(json));
  } catch (cause) {
    throw new SourceError("bad_answer", "the driver of holehe wrote what it should not", { cause });
  }
}

/** The name comes from an import statement of whatever is installed there, so it is repeated only when it looks like one. */
function missing(name: string): SourceError {
  const shown = /^[A-Za-z0-9_.]{1,50}$/.test(name) ? name : "holehe";
  return new SourceError("not_installed", `the Python package ${shown} is missing or cannot be imported`);
}

/** Nothing when the module failed or names no domain. */
function siteOf({ domain: text, exists, rateLimit, error }: z.infer<typeof siteMessage>): Site[] {
  const domain = text === null ? null : canonicalDomain(text);
  if (error || domain === null) return [];
  return [{ domain, state: rateLimit ? "rate_limited" : exists ? "exists" : "unused" }];
}

function findingsOf(run: Run, isWanted: (domain: string) => boolean): Finding[] {
  const sites = run.sites.filter(({ domain }) => isWanted(domain));
  const domainsOf = (state: Site["state"]) =>
    [...new Set(sites.filter((site) => site.state === state).map(({ domain }) => domain))].sort(compareText);
  if (sites.every(({ state }) => state === "rate_limited")) {
    if (sites.length === 0) throw new SourceError("bad_answer", "no site gave an answer");
    throw new SourceError("rate_limited", "every site asked to slow down");
  }
  const details: Details = {
    rate_limited_sites: domainsOf("rate_limited"),
    sites_asked: run.askedCount,
    sites_failed: run.failedCount,
  };
  const findings = domainsOf("exists").map((domain) =>
    makeFinding({
      category: "account",
      severity: "low",
      title: `Account registered on ${domain}`,
      sourceUrl: `https://${domain}`,
      subject: domain,
      details,
    }),
  );
  return capFindings(mergeFindings(findings));
}
