import { freeKey, goodKey, requestIdOf, unknownKey } from "./fake-service.ts";

/**
 * How a look-up of one address ends in every connector: the sentence that a person sees first, or the words of the
 * platform's own error. The texts are exact; `{url}` in none of them.
 */
export type Outcome = {
  readonly name: string;
  readonly email: string;
  readonly key: string;
  readonly expected: { readonly headline: string } | { readonly error: string };
  /** The code of the service's refusal and its seconds, for clients that hand them on. */
  readonly code?: string;
  readonly retryAfter?: number;
};

const at = (name: string) => `${name}@example.com`;
const found = (name: string, title: string, headline: string): Outcome => ({
  name: title,
  email: at(name),
  key: goodKey,
  expected: { headline },
});
const fault = (name: string, title: string, error: string, more: Partial<Outcome> = {}): Outcome => ({
  name: title,
  email: at(name),
  key: goodKey,
  expected: { error },
  ...more,
});

/** The scenarios that every connector meets, with what it has to make of them. */
export const outcomes: readonly Outcome[] = [
  found("high", "high findings", "3 findings (2 high, 1 low); 5 of 5 sources answered"),
  found("nothing", "nothing found", "No finding; 5 of 5 sources answered"),
  found(
    "partial",
    "a partial result",
    "1 finding (1 high); 1 of 2 sources answered; could not look: emailrep (timeout)",
  ),
  found("limited-short", "429 that ends in time", "1 finding (1 high); 5 of 5 sources answered"),
  found("hostile", "a title full of markup", "1 finding (1 medium); 1 of 1 sources answered"),
  fault("failed", "a failed scan", "xpose: no source answered: hibp (auth), misp (timeout)", { code: "scan_failed" }),
  fault("off", "no source at all", "xpose: no source answered: none is enabled", { code: "scan_failed" }),
  fault("nothing", "401", "xpose: invalid_api_key (The API key is missing or not recognised.)", {
    key: unknownKey,
    code: "invalid_api_key",
  }),
  fault("nothing", "403", "xpose: plan_required (The plan of this workspace does not include the API.)", {
    key: freeKey,
    code: "plan_required",
  }),
  fault("limited-long", "429 beyond the time", "xpose: rate_limited (Too many requests.), retry after 3600 s", {
    code: "rate_limited",
    retryAfter: 3600,
  }),
  fault("limited-bare", "429 without seconds", "xpose: rate_limited (Too many requests.)", { code: "rate_limited" }),
  fault("redirect", "a redirect", "xpose answered 302: a redirect is not followed; correct the url"),
  fault("login", "HTML with 200", "xpose answered 200 without JSON: the url does not lead to xpose"),
  fault("list", "JSON that is no object", "xpose answered 200 without JSON: the url does not lead to xpose"),
  fault("unavailable", "HTML with 502", "xpose answered 502 without JSON: the url does not lead to xpose"),
  fault("huge", "an answer without end", "xpose answered 200 with more than 16 MiB"),
];

/** The scan that outlasts every platform. It is apart from the others because it takes the platform's whole time. */
export const slow = fault(
  "slow",
  "a scan beyond the platform's time",
  `xpose: scan ${requestIdOf(at("slow"))} is still scanning; ask again`,
  { code: "scan_pending" },
);

/** With `options.tlp` above amber only sources inside the perimeter are asked. */
export const tlpRed = found(
  "tlp",
  "TLP red",
  "1 finding (1 low); 2 of 2 sources answered; outside sources were not asked",
);

/** Words that a connector's output never holds, whatever was found. `safe` alone is a word, `unsafe` is none of ours. */
export const forbiddenWords =
  /\b(?:malicious|suspicious|safe|verdicts?|risk[ _-]?score|reputation)\b|x_opencti_score|"to_ids":\s*true/i;
