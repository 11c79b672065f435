import * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";
import { capFindings, type Finding, makeFinding, mergeFindings, oneLine, parseLeakYear } from "../domain/finding.ts";
import { parseJsonAnswer } from "../egress/answer.ts";
import type { HttpResponse } from "../egress/client.ts";
import type { SourceKind } from "./source.ts";

const settings = z.lazy(() => z.strictObject({}));
const defaultBaseUrl = "https://emailrep.io";

/**
 * EmailRep: sites on which an address is known, and whether it was in some breach or leak, never which one. Its
 * reputation, its flags for suspicious or malicious behaviour and its blacklist are verdicts: they are not even read.
 * The service gives out no new keys; those given out go on working. Source: docs.sublime.security/reference.
 */
export const emailrep: SourceKind<z.infer<typeof settings>> = {
  kind: "emailrep",
  // An aggregate that names neither its breaches nor their dates (CONTRACT.md 11.2).
  confidence: 0.85,
  isOnline: true,
  auth: "key",
  defaultBaseUrl,
  settings,
  pace: { count: 10, windowMs: 60_000 },
  timeoutMs: 10_000,
  isThrottled: (response) => response.status === 429 && !isSwitchedOff(response),
  lookup: async (indicator, { baseUrl, apiKey, http, catalogue, signal }) => {
    if (apiKey === null) throw new SourceError("not_configured", "it needs an API key");
    const response = await http.request({
      url: `${baseUrl ?? defaultBaseUrl}/${encodeURIComponent(indicator.value)}`,
      headers: { key: apiKey, accept: "application/json" },
      signal,
    });
    const quotaLeft = quotaLeftOf(response.headers);
    // Not documented, but known to clients: nothing is known of the address. A page says that we asked elsewhere.
    if (response.status === 404 && !isPage(response)) return { findings: [], quotaLeft };
    if (isSwitchedOff(response)) throw new SourceError("not_configured", "it saw no key that it takes");
    const parsed = answer.safeParse(parseJsonAnswer(response));
    if (!parsed.success) throw new SourceError("bad_answer", "not the shape of an EmailRep answer");
    return { findings: capFindings(mergeFindings(findingsOf(parsed.data.details, catalogue.aliases))), quotaLeft };
  },
};

/** A 429 of two meanings: the quota is used up, or the API without a key is switched off, which waiting does not mend. */
function isSwitchedOff(response: HttpResponse): boolean {
  if (response.status !== 429) return false;
  return new TextDecoder().decode(response.body).toLowerCase().includes("unauthenticated api is currently disabled");
}

function isPage({ headers }: HttpResponse): boolean {
  return (headers["content-type"] ?? "").toLowerCase().includes("html");
}

/** The smaller of what is left of the day and of the month; null when neither is told. */
function quotaLeftOf(headers: HttpResponse["headers"]): number | null {
  const left = [headers["x-rate-limit-daily-remaining"], headers["x-rate-limit-monthly-remaining"]]
    .filter((text) => text !== undefined && /^\d{1,15}$/.test(text))
    .map(Number);
  return left.length === 0 ? null : Math.min(...left);
}

const answer = z.lazy(() =>
  z.object({
    details: z.object({
      data_breach: z.boolean(),
      credentials_leaked: z.boolean(),
      credentials_leaked_recent: z.nullish(z.boolean()),
      profiles: z.array(z.string()),
      first_seen: z.nullish(z.string()),
      last_seen: z.nullish(z.string()),
    }),
  }),
);
type Facts = z.infer<typeof answer>["details"];

/** The service's front page: its answers have no page of their own that could be linked without the address. */
const sourceUrl = `${defaultBaseUrl}/`;
const maxProfileLength = 100;

function findingsOf(facts: Facts, aliases: ReadonlyMap<string, string>): Finding[] {
  // When the address was first and last seen in any breach, leak or abuse: not the year of a leak.
  const seen = { first_seen: isoDate(facts.first_seen), last_seen: isoDate(facts.last_seen) };
  const findings: Finding[] = [];
  if (facts.data_breach) {
    const title = "EmailRep reports presence in a data breach (unnamed)";
    findings.push(
      makeFinding({ category: "breach", severity: "medium", title, sourceUrl, subject: "any-breach", details: seen }),
    );
  }
  if (facts.credentials_leaked) {
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
  for (const profile of facts.profiles.map((name) => oneLine(name, maxProfileLength)).filter((name) => name !== "")) {
    const title = `Account reported on ${profile}`;
    findings.push(makeFinding({ category: "account", severity: "low", title, sourceUrl, subject: profile, aliases }));
  }
  return findings;
}

/** `05/24/2019` -> `2019-05-24`; null for `never`, for a day that does not exist, and for anything else. */
function isoDate(text: string | null | undefined): string | null {
  const [, month, day, year] = /^(\d{2})\/(\d{2})\/(\d{4})$/.exec(text ?? "") ?? [];
  const date = `${year}-${month}-${day}`;
  return parseLeakYear(date) === null ? null : date;
}
