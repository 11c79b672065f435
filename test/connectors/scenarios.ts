/** An address as the stand-in of the service knows it. The part before the `@` is the name of the scenario. */
export type Scenario = { readonly sources: readonly Source[]; readonly findings: readonly Partial<Finding>[] };

export type Source = {
  readonly source: string;
  readonly outcome: "ok" | "no_data" | "failed" | "skipped";
  readonly error: string | null;
  readonly isOutside: boolean;
};

/** An atom of the envelope. */
export type Finding = {
  readonly source: string;
  readonly source_url: string | null;
  readonly source_confidence: number;
  readonly source_tier: string;
  readonly corroboration_count: number;
  readonly corroborated_by: readonly string[];
  readonly category: string;
  readonly severity: string;
  readonly title: string;
  readonly indicator_type: string;
  readonly indicator_value: string;
  readonly first_seen: string | null;
  readonly last_seen: string | null;
};

/** The document of `GET /api/v1/soc/enrich/{request_id}/case`. */
export type Case = {
  readonly request_id: string;
  readonly status: "completed" | "failed";
  readonly indicator: { readonly type: "email"; readonly value: string };
  readonly asked_at: string;
  readonly finished_at: string;
  readonly partial: boolean;
  readonly reach: "full" | "inside";
  readonly digest: string;
  readonly failed_sources: readonly { readonly source: string; readonly error: string | null }[];
  readonly exposure: {
    readonly findings: readonly Finding[];
    readonly total: number;
    readonly by_severity: Readonly<Record<string, number>>;
  } | null;
  readonly evidence: readonly unknown[] | null;
  readonly sources: readonly { readonly source: string; readonly outcome: string }[];
  readonly disambiguation: { readonly required: boolean; readonly reason: string };
  readonly generator: { readonly name: string; readonly version: string };
};

const ok = (source: string, isOutside = true): Source => ({ source, outcome: "ok", error: null, isOutside });
const noData = (source: string, isOutside = true): Source => ({ source, outcome: "no_data", error: null, isOutside });
const failed = (source: string, error: string): Source => ({ source, outcome: "failed", error, isOutside: true });

const five = [noData("corpus", false), noData("emailrep"), ok("hibp"), noData("holehe"), ok("misp", false)];

const shopBreach: Partial<Finding> = {
  severity: "high",
  title: "Present in the Example Shop 2021 breach",
  source_url: "https://shop.example.com/security-notice",
  corroboration_count: 1,
  corroborated_by: ["misp"],
};

const several: readonly Partial<Finding>[] = [
  shopBreach,
  { source: "misp", severity: "high", title: "In infostealer logs for portal.example", category: "infostealer" },
  { source: "misp", title: "Account registered on shop.example.com", category: "account", first_seen: null },
];

export const scenarios: Readonly<Record<string, Scenario>> = {
  // Its scan runs at the first answer; that of `ready` is done.
  high: { sources: five, findings: several },
  ready: { sources: five, findings: several },
  // The address of the transcripts.
  "jane.doe": {
    sources: [noData("corpus", false), failed("emailrep", "timeout"), ok("hibp"), noData("holehe"), ok("misp", false)],
    findings: [
      shopBreach,
      { source: "misp", source_tier: "medium", title: "Account registered on shop.example.com", category: "account" },
    ],
  },
  "limited-short": { sources: five, findings: [shopBreach] },
  nothing: { sources: five.map(({ source, isOutside }) => noData(source, isOutside)), findings: [] },
  "not-cached": { sources: five, findings: [] },
  partial: { sources: [failed("emailrep", "timeout"), ok("hibp")], findings: [shopBreach] },
  failed: { sources: [failed("hibp", "auth"), failed("misp", "timeout")], findings: [] },
  off: { sources: [], findings: [] },
  tlp: { sources: five, findings: [{ source: "misp", title: "Present in an internal event", category: "breach" }] },
  // Text of an attacker: markup for every place where a title can be shown.
  hostile: {
    sources: [ok("hibp")],
    findings: [
      {
        severity: "medium",
        title: "a|b **bold** [link](javascript:alert(1)) <img src=x onerror=alert(1)> `code` {{7*7}} \\| =cmd()",
        source_url: "https://evil.example/%22%3E%3Cscript%3E",
      },
    ],
  },
};
