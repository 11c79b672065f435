import { isAbsolute } from "node:path";
import * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";
import {
  capFindings,
  type Details,
  type Finding,
  leakTitle,
  makeFinding,
  mergeFindings,
  oneLine,
  parseLeakYear,
  type Severity,
} from "../domain/finding.ts";
import { subjectOf } from "../domain/subject.ts";
import { failureOf, parseJsonAnswer } from "../egress/answer.ts";
import { breachEntry, type Catalogue, type CatalogueEntry } from "./catalogue.ts";
import type { LookupContext, SourceKind } from "./source.ts";

const settings = z.lazy(() =>
  z.strictObject({
    mode: z._default(z.enum(["account", "range"], "account or range"), "account"),
    pastes: z._default(z.boolean("true or false"), true),
    stealer_logs: z._default(z.boolean("true or false"), false),
    catalogue: z._default(
      z.nullable(z.string("an absolute path").check(z.refine(isAbsolute, "an absolute path"))),
      null,
    ),
  }),
);

type Settings = z.infer<typeof settings>;
type Context = LookupContext<Settings>;

const defaultBaseUrl = "https://haveibeenpwned.com/api/v3";

/** The data are under CC BY 4.0, which asks for the source to be named wherever they are shown. */
const attribution = "Have I Been Pwned, CC BY 4.0, https://haveibeenpwned.com";

/**
 * Have I Been Pwned, API v3 (haveibeenpwned.com/API/v3): breaches, pastes and stealer logs.
 *
 * Mode `account` sends the address, `range` six digits of its SHA-1 and nothing else; pastes and stealer logs cannot be
 * asked for by range, so that mode leaves them out. What the plan of the key does not allow is named in `missing`.
 */
export const hibp: SourceKind<Settings> = {
  kind: "hibp",
  // It verifies what it loads, and says where it did not.
  confidence: 0.95,
  isOnline: true,
  auth: "key",
  defaultBaseUrl,
  settings,
  // The smallest plan (CONTRACT.md 5.9).
  pace: { count: 10, windowMs: 60_000 },
  timeoutMs: 10_000,
  async lookup({ value: address }, context) {
    const subCalls = context.settings.mode === "range" ? [rangeCall(address)] : accountCalls(address, context.settings);
    const listed = context.catalogue.refresh(context);
    const findings: Finding[] = [];
    const missing: string[] = [];
    // One after the other: what fails anyway should not use up the quota of the key.
    for (const { name, path, read } of subCalls) {
      const answer = await ask(path, context);
      if (answer.kind === "not_in_plan") missing.push(name);
      else if (answer.kind === "json") findings.push(...(await read(answer.value, context, listed)));
    }
    // Nothing was answered, and silence must not read as clean.
    if (missing.length === subCalls.length) throw new SourceError("auth", "the plan of the key allows no look-up");
    return { findings: capFindings(mergeFindings(findings)), missing };
  },
};

type SubCall = {
  /** As `missing` names it. */
  readonly name: string;
  readonly path: string;
  /** Throws `bad_answer`. `listed` resolves when the catalogue is as good as it gets in time. */
  readonly read: (value: unknown, context: Context, listed: Promise<void>) => Promise<Finding[]> | Finding[];
};

function accountCalls(address: string, { pastes, stealer_logs }: Settings): SubCall[] {
  const account = encodeURIComponent(address);
  return [
    {
      name: "breachedaccount",
      path: `breachedaccount/${account}?truncateResponse=false`,
      read: (value, { catalogue }) => breachFindings(parse(breaches, value), catalogue),
    },
    ...(pastes ? [{ name: "pasteaccount", path: `pasteaccount/${account}`, read: pasteFindings }] : []),
    ...(stealer_logs
      ? [{ name: "stealerlogsbyemail", path: `stealerlogsbyemail/${account}`, read: stealerLogFindings }]
      : []),
  ];
}

/** Digits of the SHA-1 that are sent; the answer holds the other 34 of each address of that range. */
const prefixLength = 6;

function rangeCall(address: string): SubCall {
  const hash = new Bun.CryptoHasher("sha1").update(address).digest("hex").toUpperCase();
  return {
    name: "breachedaccount/range",
    path: `breachedaccount/range/${hash.slice(0, prefixLength)}`,
    async read(value, { catalogue }, listed) {
      const own = parse(range, value).filter(({ hashSuffix }) => hashSuffix.toUpperCase() === hash.slice(prefixLength));
      const names = new Set(own.flatMap(({ websites }) => websites));
      if (names.size === 0) return [];
      await listed;
      return [...names].flatMap((name) => {
        const entry = catalogue.find(name);
        return entry === null ? [unknownBreachFinding(name, catalogue)] : breachFindings([entry], catalogue);
      });
    },
  };
}

type Answer = { readonly kind: "json"; readonly value: unknown } | { readonly kind: "unknown" | "not_in_plan" };

/** Throws `SourceError` for every answer but a JSON 200, an empty 404 (not known) and a JSON 403 (not in the plan). */
async function ask(path: string, { baseUrl, apiKey, http, signal }: Context): Promise<Answer> {
  if (apiKey === null) throw new SourceError("not_configured", "no API key");
  const response = await http.request({
    url: `${(baseUrl ?? defaultBaseUrl).replace(/\/+$/, "")}/${path}`,
    headers: { "hibp-api-key": apiKey, accept: "application/json" },
    signal,
  });
  // A 404 with a text is that of a wrong base_url or of a filter in between, and says nothing about the address.
  if (response.status === 404 && response.body.length === 0) return { kind: "unknown" };
  if (response.status === 403 && failureOf(response).reason === "auth") return { kind: "not_in_plan" };
  return { kind: "json", value: parseJsonAnswer(response) };
}

const breaches = z.array(breachEntry);
// A suffix of another length could match no address, and that would read as clean.
const range = z.lazy(() =>
  z.array(
    z.object({
      hashSuffix: z.string().check(z.regex(/^[0-9A-F]{34}$/i)),
      websites: z.array(z.string().check(z.minLength(1))),
    }),
  ),
);
const pastes = z.lazy(() =>
  z.array(
    z.object({
      Source: z.string().check(z.minLength(1)),
      Id: z.string().check(z.minLength(1)),
      Date: z.nullish(z.string()),
      EmailCount: z.nullish(z.number()),
    }),
  ),
);
const stealerLogs = z.lazy(() => z.array(z.string().check(z.minLength(1))));

function parse<Value>(schema: z.ZodMiniType<Value>, value: unknown): Value {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new SourceError("bad_answer", "not the shape of Have I Been Pwned, API v3");
  return parsed.data;
}

/** Sensitive and retired breaches are dropped: the public search never tells them, and a range must not either. */
function breachFindings(entries: readonly CatalogueEntry[], { aliases }: Catalogue): Finding[] {
  return entries
    .filter((entry) => !entry.IsSensitive && !entry.IsRetired)
    .map((entry) =>
      makeFinding({
        category: entry.IsStealerLog ? "infostealer" : entry.IsSpamList ? "spam_list" : "breach",
        severity: severityOf(entry),
        title: titleOf(entry),
        sourceUrl: pageOf(entry.Name),
        subject: textOf(entry.Domain) ?? entry.Name,
        year: yearOf(entry),
        aliases,
        details: detailsOf(entry),
      }),
    );
}

/** A breach that the catalogue does not have (yet): all that is known is its name (CONTRACT.md 11.2a). */
function unknownBreachFinding(name: string, { aliases }: Catalogue): Finding {
  return makeFinding({
    category: "breach",
    severity: "medium",
    title: `Present in the ${oneLine(name, maxNameLength)} breach`,
    sourceUrl: pageOf(name),
    subject: name,
    aliases,
    details: { name: textOf(name), attribution },
  });
}

/** Data classes (haveibeenpwned.com/api/v3/dataclasses) that let somebody log in, pay or pass as the person. */
const gravestDataClasses: ReadonlySet<string> = new Set([
  "Auth tokens",
  "Bank account numbers",
  "Biometric data",
  "Credit card CVV",
  "Credit cards",
  "Driver's licenses",
  "Encrypted keys",
  "Government issued IDs",
  "Historical passwords",
  "Mnemonic phrases",
  "Passport numbers",
  "Password hints",
  "Passwords",
  "PINs",
  "Security questions and answers",
  "Social security numbers",
]);

function severityOf({ DataClasses, IsStealerLog, IsSpamList, IsFabricated }: CatalogueEntry): Severity {
  if (IsStealerLog || DataClasses.some((dataClass) => gravestDataClasses.has(dataClass))) return "high";
  const isAddressOnly = DataClasses.length === 1 && DataClasses[0] === "Email addresses";
  return IsSpamList || IsFabricated || isAddressOnly ? "low" : "medium";
}

/** Short enough that a title is never cut before its end, which may say that the breach is unverified. */
const maxNameLength = 150;

function titleOf(entry: CatalogueEntry): string {
  const title = oneLine(entry.Title, maxNameLength) || oneLine(entry.Name, maxNameLength);
  return [
    leakTitle(title, yearOf(entry)),
    ...(entry.IsVerified ? [] : ["(unverified)"]),
    ...(entry.IsFabricated ? ["(fabricated)"] : []),
  ].join(" ");
}

function yearOf({ BreachDate }: CatalogueEntry): number | null {
  return parseLeakYear(BreachDate);
}

function pageOf(name: string): string {
  return `https://haveibeenpwned.com/Breach/${encodeURIComponent(name.toWellFormed())}`;
}

function detailsOf(entry: CatalogueEntry): Details {
  return {
    name: textOf(entry.Name),
    domain: textOf(entry.Domain),
    breach_date: textOf(entry.BreachDate),
    added_date: textOf(entry.AddedDate),
    modified_date: textOf(entry.ModifiedDate),
    pwn_count: entry.PwnCount ?? null,
    data_classes: entry.DataClasses.slice(0, maxDataClasses).map((dataClass) => oneLine(dataClass, maxNameLength)),
    flags: flagNames.filter(([field]) => entry[field]).map(([, name]) => name),
    attribution,
  };
}

/** Far more than there are. */
const maxDataClasses = 500;

const flagNames = [
  ["IsVerified", "verified"],
  ["IsFabricated", "fabricated"],
  ["IsSpamList", "spam_list"],
  ["IsMalware", "malware"],
  ["IsStealerLog", "stealer_log"],
  ["IsSubscriptionFree", "subscription_free"],
] as const;

/** The title of a paste is left out: whoever pasted wrote it, and it may hold what was leaked. */
function pasteFindings(value: unknown): Finding[] {
  return parse(pastes, value).map((paste) =>
    makeFinding({
      category: "paste",
      severity: "medium",
      title: `Present in a paste on ${oneLine(paste.Source, maxNameLength)}`,
      subject: `paste ${paste.Source} ${paste.Id}`,
      details: {
        id: textOf(paste.Id),
        date: textOf(paste.Date),
        email_count: paste.EmailCount ?? null,
        attribution,
      },
    }),
  );
}

/** The sites where a password of this address was caught while it was typed in. */
function stealerLogFindings(value: unknown): Finding[] {
  return parse(stealerLogs, value).map((site) => {
    const subject = subjectOf(site);
    return makeFinding({
      category: "infostealer",
      severity: "high",
      title: `In infostealer logs for ${subject}`,
      subject,
      details: { attribution },
    });
  });
}

const maxTextLength = 300;

/** One line, or null for nothing. */
function textOf(text: string | null | undefined): string | null {
  return oneLine(text ?? "", maxTextLength) || null;
}
