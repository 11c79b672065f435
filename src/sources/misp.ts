import * as z from "zod/mini";
import { parseEmail } from "../domain/email.ts";
import { SourceError } from "../domain/error.ts";
import {
  capFindings,
  type Finding,
  makeFinding,
  maxFindingsPerAnswer,
  mergeFindings,
  type Severity,
  shownLine,
} from "../domain/finding.ts";
import { compareText, oneLine } from "../domain/text.ts";
import { timestamp } from "../domain/time.ts";
import { failureOf, parseJsonAnswer } from "../egress/answer.ts";
import type { HttpClient, HttpResponse } from "../egress/client.ts";
import { flag, list, numericId, optionalList } from "./lenient.ts";
import { partSignal } from "./part-signal.ts";
import { readRows, tellUnreadable } from "./rows.ts";
import type { SourceKind } from "./source.ts";

/** Traffic Light Protocol, from open to closed; `white` is the older name of `clear` (FIRST, TLP 2.0). */
const tlpRank: ReadonlyMap<string, number> = new Map([
  ["clear", 0],
  ["white", 0],
  ["green", 1],
  ["amber", 2],
  ["amber+strict", 3],
  ["red", 4],
]);

const settings = z.lazy(() =>
  z.strictObject({
    max_tlp: z._default(
      z.enum(
        ["clear", "white", "green", "amber", "amber+strict", "red"],
        "clear, white, green, amber, amber+strict or red",
      ),
      "amber+strict",
    ),
  }),
);

/**
 * A MISP inside the perimeter: the attributes of its events that contain the address, one finding per event and type.
 * Attributes marked above `max_tlp` are dropped and counted in `missing`, so that the answer does not read as
 * "unknown". The first page is the main part; rows already read are kept when a later page fails. Source: MISP 2.5,
 * app/webroot/doc/openapi.yaml.
 */
export const misp: SourceKind<z.infer<typeof settings>> = {
  kind: "misp",
  mayBeInternal: true,
  // Depends on the feeds of that MISP; the operator knows better and can set `confidence`.
  confidence: 0.8,
  isOnline: true,
  auth: "key",
  ownHeaders: ["authorization", "content-type"],
  settings,
  pace: null,
  timeoutMs: 10_000,
  lookup: async ({ value: asked }, { baseUrl, apiKey, settings: { max_tlp: maxTlp }, http, signal, deadline }) => {
    if (baseUrl === null) throw new SourceError("not_configured", "the source needs a base_url");
    if (apiKey === null) throw new SourceError("not_configured", "the source needs an API key");
    if (holdsOperator(asked)) throw new SourceError("unsupported", "MISP would read the address as an expression");
    const { values, gap } = await search(asked, { baseUrl, apiKey, http, signal, deadline });
    const { rows, unreadableCount } = readRows(attribute, values);
    const hits = rows.filter((row) => isAbout(row.value, asked) && !isDeleted(row));
    const shown = hits.filter((hit) => rankOf(strictestTlp(hit)) <= rankOf(maxTlp));
    const findings = mergeFindings(shown.map((hit) => findingOf(hit, baseUrl, asked)));
    return {
      findings: gap === null ? capFindings(findings) : tellCut(capFindings(findings), values.length),
      missing: [
        ...tellMarked(hits.length - shown.length),
        ...tellUnreadable(unreadableCount, "attributes"),
        ...(gap === null ? [] : [gap]),
      ],
    };
  },
};

function tellMarked(count: number): string[] {
  return count === 0 ? [] : [`${count} of the hits: marked above max_tlp`];
}

/**
 * Whether MISP would read the address as an expression. At either end `%` means "anything", a leading `!` means "not",
 * `&&` means "and", and `|` separates the halves of a composite value. All are legal in an address: the answer would be
 * about others or miss this one.
 */
function holdsOperator(address: string): boolean {
  return /^[%!]|%$|&&|\|/.test(address);
}

/** Types whose whole value is an address, unlike display names. */
const types = ["email", "email-src", "email-dst", "email-reply-to", "target-email"];
const pageSize = 100;
/** One page more than 1000 findings need, to detect that there are more. */
const maxPages = maxFindingsPerAnswer / pageSize + 1;
/** Twice the size of a hundred rows whose events have dozens of long tags each. */
const maxPageBytes = 8 * 1024 * 1024;

type Access = {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly deadline: Date;
};

type Page = {
  readonly values: readonly unknown[];
  /** The number of rows that MISP reports: one more than on the page when the page is full. */
  readonly resultCount: number;
};

/** Reads pages until the last. `gap` is the text for `missing` about rows that could not be read, or null. */
async function search(address: string, access: Access): Promise<{ values: unknown[]; gap: string | null }> {
  const values: unknown[] = [];
  const seen = new Set<string>();
  const after = (why: string) => `the hits after the first ${values.length}: ${why}`;
  for (let number = 1; number <= maxPages; number += 1) {
    let page: Page;
    try {
      page = await searchPage(address, number, number === 1 ? access : { ...access, signal: partSignal(access) });
    } catch (error) {
      if (number === 1 || !(error instanceof SourceError)) throw error;
      return { values, gap: after(`page ${number} could not be read (${error.reason})`) };
    }
    const texts = page.values.map((value) => JSON.stringify(value));
    const fresh = page.values.filter((_value, index) => !seen.has(texts[index] ?? ""));
    for (const text of texts) seen.add(text);
    values.push(...fresh);
    if (!mayHaveMore(page)) return { values, gap: null };
    // Without new rows the service ignores pages. If it ignores the limit too, it has sent all its rows.
    if (fresh.length === 0)
      return { values, gap: page.values.length > pageSize ? null : after("the service repeats a page") };
  }
  return { values, gap: after("there are more hits than can be shown") };
}

/**
 * Whether another page may follow. A nearly full page counts as well: MISP removes rows that the key must not see after
 * it has cut the page, and does not always count them.
 */
function mayHaveMore({ values, resultCount }: Page): boolean {
  return Math.max(values.length, resultCount) >= pageSize || values.length > pageSize / 2;
}

async function searchPage(address: string, number: number, { baseUrl, apiKey, http, signal }: Access): Promise<Page> {
  const response = await http.request({
    method: "POST",
    url: `${baseUrl}/attributes/restSearch`,
    // The bare key: MISP uses no authentication scheme.
    headers: { authorization: apiKey, accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify({
      returnFormat: "json",
      value: address,
      type: types,
      limit: pageSize,
      page: number,
      // Without an explicit order, database pages may overlap and miss rows.
      order: "Attribute.id asc",
      includeEventTags: 1,
      // Include tags not meant for export: a TLP mark may be among them.
      includeAllTags: 1,
      includeContext: 1,
      includeSightings: 0,
      includeWarninglistHits: 1,
      deleted: 0,
    }),
    signal,
    maxBytes: maxPageBytes,
  });
  if (response.status !== 200) throw refusalOf(response);
  const parsed = answer.safeParse(parseJsonAnswer(response));
  if (!parsed.success) throw new SourceError("bad_answer", "not the shape of a MISP attribute search");
  const count = response.headers["x-result-count"] ?? "";
  return { values: parsed.data.response.Attribute, resultCount: /^\d{1,9}$/.test(count) ? Number(count) : 0 };
}

/** Phrases in MISP's 405 for a user whose account or role does not allow a search. */
const accountWords = [
  "api searches are not allowed",
  "password change",
  "terms of use",
  "log in via the web interface",
];

/**
 * Refines a failure by MISP's own words that a user may not search, and by its own header that says when its rate limit
 * ends.
 */
function refusalOf(response: HttpResponse): SourceError {
  const text = new TextDecoder().decode(response.body).toLowerCase();
  if (response.status === 405 && accountWords.some((words) => text.includes(words))) {
    return new SourceError("not_configured", "the account or role of this key may not search; log in to MISP with it");
  }
  const seconds = response.headers["x-rate-limit-reset"];
  if (response.status === 429 && seconds !== undefined && /^\d{1,9}$/.test(seconds)) {
    return new SourceError("rate_limited", `answered 429, open again in ${seconds} s`);
  }
  return failureOf(response);
}

const tag = z.lazy(() => z.object({ name: z.string() }));
/** A row that joins a tag to an event or attribute. */
const tagJoin = z.lazy(() => z.object({ Tag: tag }));
const time = z.lazy(() => z.nullish(z.union([z.string(), z.int()])));
const attribute = z.lazy(() =>
  z.object({
    event_id: numericId,
    type: z.string(),
    category: z.string(),
    to_ids: flag,
    value: z.string().check(z.refine((text) => parseEmail(text) !== null)),
    comment: z.nullish(z.string()),
    deleted: z.nullish(z.unknown()),
    first_seen: time,
    last_seen: time,
    Event: z.object({
      uuid: z.guid(),
      info: z.string(),
      threat_level_id: numericId,
      date: z.string(),
      published: flag,
      // Null when the organisation was deleted.
      Orgc: z.nullish(z.object({ name: z.string() })),
      Tag: optionalList(tag),
      EventTag: optionalList(tagJoin),
    }),
    Tag: optionalList(tag),
    AttributeTag: optionalList(tagJoin),
    EventTag: optionalList(tagJoin),
    warnings: optionalList(z.object({ warninglist_name: z.string() })),
  }),
);
type Attribute = z.infer<typeof attribute>;

/** Older versions send an empty list instead of the object when nothing is found. */
const nothing = z.lazy(() =>
  z.pipe(
    z.tuple([]),
    z.transform((): { Attribute: unknown[] } => ({ Attribute: [] })),
  ),
);
const answer = z.lazy(() => z.object({ response: z.union([nothing, z.object({ Attribute: list(z.unknown()) })]) }));

/** Compares like the databases of MISP, where é equals e. */
const loosely = new Intl.Collator("en", { sensitivity: "base" });

/**
 * Whether a value is the asked address. False for an address that only the database considers equal. Throws
 * `bad_answer` for any other address: MISP returns only matches, so a cache on the way has mixed up answers
 * (docs/pipeline.md 21.12).
 */
function isAbout(value: string, asked: string): boolean {
  const address = parseEmail(value) ?? "";
  if (address === asked) return true;
  if (loosely.compare(address, asked) === 0) return false;
  throw new SourceError("bad_answer", "the answer is about another address");
}

/** Whether an attribute is deleted. They are not requested, but old versions and gateways may return them anyway. */
function isDeleted({ deleted }: Attribute): boolean {
  return deleted === true || deleted === 1 || deleted === "1";
}

/** A TLP mark in a tag, also as written in the Information Exchange Policy taxonomies. */
const markInTag = /^(?:tlp[\s:=_-]+|iep2?(?:-policy)?:(?:traffic-light-protocol|tlp)=)"?(.*?)"?$/is;
/** A TLP mark in prose, where MISP users put it as well. */
const markInText = /\btlp[\s:=_-]*(red|amber\s*[+_-]?\s*strict|amber|green|clear|white)\b/gi;

/** The strictest mark of an attribute and its event, from all places; null without a mark. */
function strictestTlp({ Tag, AttributeTag, EventTag, Event, comment }: Attribute): string | null {
  const joined = [...AttributeTag, ...EventTag, ...Event.EventTag].map((join) => join.Tag);
  const tagged = [...Tag, ...Event.Tag, ...joined].map(({ name }) => markInTag.exec(name.trim())?.[1]);
  const written = [Event.info, comment ?? ""].flatMap((text) =>
    [...text.matchAll(markInText)].map(([, mark = ""]) => mark.replace(/^amber.+$/i, "amber+strict")),
  );
  const marks = [...tagged, ...written]
    .filter((mark) => mark !== undefined)
    .map((mark) => mark.trim().toLowerCase())
    .sort((a, b) => rankOf(b) - rankOf(a) || compareText(a, b));
  return marks[0] ?? null;
}

/** The rank of a mark. Unmarked data may be shown; an unknown mark counts as the strictest. */
function rankOf(mark: string | null): number {
  return mark === null ? 0 : (tlpRank.get(mark) ?? 4);
}

/** The threat level set by the author of the event; it says nothing about the person. 4 means "undefined". */
const severityOfLevel: ReadonlyMap<string, Severity> = new Map([
  ["1", "high"],
  ["2", "medium"],
]);

const maxTextLength = 200;
const maxListLength = 20;

/** Builds a finding. Comments are left out: they are free text and may contain names and secrets. */
function findingOf(attribute: Attribute, baseUrl: string, asked: string): Finding {
  const { Event: event } = attribute;
  const tlp = strictestTlp(attribute);
  const textOf = (text: string) => shownLine(text, maxTextLength, asked);
  const listOf = (texts: readonly string[]) => boundedList([...new Set(texts)].map(textOf));
  return makeFinding({
    category: "threat_intel",
    severity: severityOfLevel.get(event.threat_level_id) ?? "low",
    title: titleOf(attribute, asked),
    subject: `misp-event-${event.uuid}`,
    sourceUrl: `${baseUrl}/events/view/${attribute.event_id}`,
    asked,
    details: {
      event_uuid: event.uuid,
      event_date: textOf(event.date),
      event_published: event.published,
      organisation: event.Orgc == null ? null : textOf(event.Orgc.name),
      attribute_type: textOf(attribute.type),
      attribute_category: textOf(attribute.category),
      to_ids: attribute.to_ids,
      first_seen: seenAt(attribute.first_seen),
      last_seen: seenAt(attribute.last_seen),
      tlp: tlp === null ? null : textOf(tlp),
      tags: listOf([...attribute.Tag, ...event.Tag].map(({ name }) => name)),
      warninglists: listOf(attribute.warnings.map((warning) => warning.warninglist_name)),
    },
  });
}

const maxTitleLength = 120;
const maxNameLength = 40;

/** A title of at most 120 characters. Only the quoted text is cut, so that the organisation stays readable. */
function titleOf({ type, Event: event }: Attribute, asked: string): string {
  const start = `Listed as ${shownLine(type, maxNameLength, asked)} in MISP event "`;
  const end = event.Orgc == null ? '"' : `" (${shownLine(event.Orgc.name, maxNameLength, asked)})`;
  const room = maxTitleLength - start.length - end.length;
  const info = shownLine(event.info, maxTitleLength, asked);
  return start + (info.length <= room ? info : `${oneLine(info, room - 1)}…`) + end;
}

/**
 * Parses ISO 8601 with a zone, or microseconds since 1970 as number or text (MISP has both); null for anything else.
 */
function seenAt(given: string | number | null | undefined): string | null {
  const text = String(given ?? "");
  const isMicroseconds = /^\d{1,17}$/.test(text);
  const isIso = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  if (!isMicroseconds && !isIso) return null;
  const at = new Date(isIso ? text : Number(text) / 1000);
  return Number.isNaN(at.getTime()) ? null : timestamp(at);
}

/** Sorted, without duplicates, bounded. */
function boundedList(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort().slice(0, maxListLength);
}

/** Marks in the details of the first finding that not all attributes were read. */
function tellCut([first, ...rest]: readonly Finding[], readCount: number): Finding[] {
  if (first === undefined) return [];
  return [
    { ...first, details: [...first.details, { attributes_read: readCount, has_more_attributes: true }] },
    ...rest,
  ];
}
