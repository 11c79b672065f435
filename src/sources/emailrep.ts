import * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";
import { capFindings, type Finding, makeFinding, mergeFindings, shownLine } from "../domain/finding.ts";
import { redacted } from "../domain/redact.ts";
import { isSensitiveName } from "../domain/sensitive-site.ts";
import { parseLeakYear } from "../domain/time.ts";
import { asksToWait, isJsonAnswer, parseJsonAnswer, parseNotFound } from "../egress/answer.ts";
import type { HttpResponse } from "../egress/client.ts";
import { checkAddress } from "./answered-address.ts";
import { flag } from "./lenient.ts";
import { readRows, tellUnreadable } from "./rows.ts";
import type { SourceKind } from "./source.ts";

const settings = z.lazy(() => z.strictObject({}));
const defaultBaseUrl = "https://emailrep.io";

/**
 * EmailRep: sites where an address is registered, and whether it was in some breach or leak (never which). Its
 * reputation, its flags for suspicious or malicious behaviour and its blacklist are verdicts and are not read. The
 * service issues no new keys; existing keys keep working. Source: docs.sublime.security/reference.
 */
export const emailrep: SourceKind<z.infer<typeof settings>> = {
  kind: "emailrep",
  // An aggregate that names neither its breaches nor their dates (docs/contract.md 11.2).
  confidence: 0.85,
  isOnline: true,
  auth: "key",
  defaultBaseUrl,
  ownHeaders: ["key"],
  settings,
  pace: { count: 10, windowMs: 60_000 },
  timeoutMs: 10_000,
  isThrottled: (response) => asksToWait(response) && !isSwitchedOff(response),
  lookup: async ({ value: asked }, { baseUrl, apiKey, http, catalogue, signal }) => {
    if (apiKey === null) throw new SourceError("not_configured", "the source needs an API key");
    const response = await http.request({
      url: `${baseUrl ?? defaultBaseUrl}/${encodeURIComponent(asked)}`,
      headers: { key: apiKey, accept: "application/json" },
      signal,
    });
    const quotaLeft = quotaLeftOf(response.headers);
    // An undocumented answer that clients rely on: the address is unknown.
    if (response.status === 404) {
      checkAddress(parseNotFound(response), asked);
      return { findings: [], isNotFound: true, quotaLeft };
    }
    if (isSwitchedOff(response)) throw new SourceError("not_configured", "the service did not accept the API key");
    if (isOfWrongForm(response))
      throw new SourceError("unsupported", "the service does not accept an address of this form");
    const value = parseJsonAnswer(response);
    const parsed = answer.safeParse(value);
    if (!parsed.success) throw new SourceError("bad_answer", "not the shape of an EmailRep answer");
    checkAddress(value, asked);
    const { rows, unreadableCount } = readRows(profile, parsed.data.details.profiles ?? []);
    const findings = [...leakFindings(parsed.data.details), ...profileFindings(rows, catalogue.aliases)];
    const missing = tellUnreadable(unreadableCount, "profiles");
    return { findings: capFindings(mergeFindings(findings)), missing, quotaLeft };
  },
};

/** Whether a 400 is about the form of the address, by the service's own words. Other 400s are about the request. */
function isOfWrongForm(response: HttpResponse): boolean {
  if (response.status !== 400 || !isJsonAnswer(response)) return false;
  return new TextDecoder().decode(response.body).toLowerCase().includes("invalid email");
}

/** Whether a 429 means that the API without a key is switched off. Unlike a used-up quota, waiting does not help. */
function isSwitchedOff(response: HttpResponse): boolean {
  if (response.status !== 429) return false;
  return new TextDecoder().decode(response.body).toLowerCase().includes("unauthenticated api is currently disabled");
}

/** The smaller of the remaining daily and monthly quota; null when neither is sent. */
function quotaLeftOf(headers: HttpResponse["headers"]): number | null {
  const left = [headers["x-rate-limit-daily-remaining"], headers["x-rate-limit-monthly-remaining"]]
    .filter((text) => text !== undefined && /^\d{1,15}$/.test(text))
    .map(Number);
  return left.length === 0 ? null : Math.min(...left);
}

const answer = z.lazy(() =>
  z.object({
    details: z.object({
      data_breach: flag,
      credentials_leaked: flag,
      credentials_leaked_recent: z.nullish(flag),
      profiles: z.nullable(z.array(z.unknown())),
      first_seen: z.nullish(z.string()),
      last_seen: z.nullish(z.string()),
    }),
  }),
);
type Facts = z.infer<typeof answer>["details"];

/** The name of a site. */
const profile = z.lazy(() => z.string());

/** The front page of the service. Its answers have no page that could be linked without the address. */
const sourceUrl = `${defaultBaseUrl}/`;
const maxProfileLength = 100;

function leakFindings(facts: Facts): Finding[] {
  // When the address was first and last seen in any breach, leak or abuse; not the year of a leak.
  const seen = { first_seen: isoDate(facts.first_seen), last_seen: isoDate(facts.last_seen) };
  const findings: Finding[] = [];
  if (facts.data_breach) {
    const title = "EmailRep reports presence in a data breach (unnamed)";
    findings.push(
      makeFinding({ category: "breach", severity: "medium", title, sourceUrl, subject: "any-breach", details: seen }),
    );
  }
  // A leak in the last ninety days counts, even if the other flag is false.
  if (facts.credentials_leaked || facts.credentials_leaked_recent === true) {
    const title = "EmailRep reports leaked credentials (unnamed)";
    const details = { ...seen, credentials_leaked_recent: facts.credentials_leaked_recent ?? null };
    findings.push(
      makeFinding({
        category: "credential_leak",
        severity: "high",
        title,
        sourceUrl,
        subject: "any-credential",
        details,
      }),
    );
  }
  return findings;
}

function profileFindings(profiles: readonly string[], aliases: ReadonlyMap<string, string>): Finding[] {
  return profiles
    .map((name) => shownLine(name, maxProfileLength, null))
    .filter((name) => name !== "" && !isSensitiveName(name))
    .map((name) => {
      const common = { category: "account", severity: "low", sourceUrl, aliases } as const;
      // An address in place of the site: the site is unknown.
      return name.includes(redacted)
        ? makeFinding({ ...common, title: "EmailRep reports an account (unnamed)", subject: "any-account" })
        : makeFinding({ ...common, title: `Account reported on ${name}`, subject: name });
    });
}

/** Converts `05/24/2019` to `2019-05-24`; null for `never`, an invalid day, and any other text. */
function isoDate(text: string | null | undefined): string | null {
  const [, month, day, year] = /^(\d{2})\/(\d{2})\/(\d{4})$/.exec(text ?? "") ?? [];
  const date = `${year}-${month}-${day}`;
  return parseLeakYear(date) === null ? null : date;
}
