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
 * A MISP inside the perimeter: the attributes of its events that hold the address, one finding per event and type.
 * What is marked above `max_tlp` is dropped, and `missing` says that it was: it must not read as unknown. The first page
 * is the main part; rows already read stay when a later one fails. Source: MISP 2.5, app/webroot/doc/openapi.yaml.
 */
export const misp: SourceKind<z.infer<typeof settings>> = {
  kind: "misp",
  mayBeInternal: true,
  // It depends on the feeds of that MISP: the operator knows better, and says so in `confidence`.
  confidence: 0.8,
  isOnline: true,
  auth: "key",
  ownHeaders: ["authorization", "content-type"],
  settings,
  pace: null,
  timeoutMs: 10_000,
  lookup: async ({ value: asked }, { baseUrl, apiKey, settings: { max_tlp: maxTlp }, http, signal, deadline }) => {
    if (baseUrl === null) throw new SourceError("not_configured", "it needs a base_url");
    if (apiKey === null) throw new SourceError("not_configured", "it needs an API key");
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
 * MISP takes `%` at an end for "anything", a leading `!` for "not" and `&&` for "and", and cuts at `|` the two halves
 * of a composite value. All are legal in an address: the answer would be about others, or miss this one.
 */
function holdsOperator(address: string): boolean {
  return /^[%!]|%$|&&|\|/.test(address);
}

/** The types whose whole value is an address; display names and the like are not. */
const types = ["email", "email-src", "email-dst", "email-reply-to", "target-email"];
const pageSize = 100;
/** One more than 1000 findings need, so that there being more is seen. */
const maxPages = maxFindingsPerAnswer / pageSize + 1;
/** A hundred rows whose events have dozens of long tags each, twice. */
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
  /** As MISP counts this page: its rows, and one more when it is full. */
  readonly resultCount: number;
};

/** Reads page after page until there is no more. `gap` says in words for `missing` what could not be read, or is null. */
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
      return { values, gap: after(`page ${number} could not be had (${error.reason})`) };
    }
    const texts = page.values.map((value) => JSON.stringify(value));
    const fresh = page.values.filter((_value, index) => !seen.has(texts[index] ?? ""));
    for (const text of texts) seen.add(text);
    values.push(...fresh);
    if (!mayHaveMore(page)) return { values, gap: null };
    // It does not know pages. One that knows no limit either has sent all that it has.
    if (fresh.length === 0) return { values, gap: page.values.length > pageSize ? null : after("it repeats its page") };
  }
  return { values, gap: after("there are more than can be shown") };
}

/**
 * A full page may have a next one. So may one that is nearly full: MISP drops rows that the key must not see from a page
 * after it has cut it, and does not always count them.
 */
function mayHaveMore({ values, resultCount }: Page): boolean {
  return Math.max(values.length, resultCount) >= pageSize || values.length > pageSize / 2;
}

async function searchPage(address: string, number: number, { baseUrl, apiKey, http, signal }: Access): Promise<Page> {
  const response = await http.request({
    method: "POST",
    url: `${baseUrl}/attributes/restSearch`,
    // The bare key: MISP knows no scheme before it.
    headers: { authorization: apiKey, accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify({
      returnFormat: "json",
      value: address,
      type: types,
      limit: pageSize,
      page: number,
      // Without an order of their own the pages of a database may overlap and miss rows.
      order: "Attribute.id asc",
      includeEventTags: 1,
      // Tags that are not for export too: a mark may be among them.
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

/** What MISP answers with 405 to a user whose account or role does not allow a search. */
const accountWords = [
  "api searches are not allowed",
  "password change",
  "terms of use",
  "log in via the web interface",
];

/** MISP says in its own words that a user may not search, and in its own header when its rate limit ends. */
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
/** A row of a table that joins tags to events or attributes. */
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

/** Older versions say "nothing" with an empty list in place of the object. */
const nothing = z.lazy(() =>
  z.pipe(
    z.tuple([]),
    z.transform((): { Attribute: unknown[] } => ({ Attribute: [] })),
  ),
);
const answer = z.lazy(() => z.object({ response: z.union([nothing, z.object({ Attribute: list(z.unknown()) })]) }));

/** As the databases of MISP compare: to them é equals e. */
const loosely = new Intl.Collator("en", { sensitivity: "base" });

/**
 * False for an address that only the database takes for the asked one. Throws `bad_answer` for any other: MISP gives none
 * that it was not asked for, so a cache on the way has mixed answers up (docs/pipeline.md 21.12).
 */
function isAbout(value: string, asked: string): boolean {
  const address = parseEmail(value) ?? "";
  if (address === asked) return true;
  if (loosely.compare(address, asked) === 0) return false;
  throw new SourceError("bad_answer", "it is about another address");
}

/** Deleted attributes are not asked for, but an old version or a gateway may give them all the same. */
function isDeleted({ deleted }: Attribute): boolean {
  return deleted === true || deleted === 1 || deleted === "1";
}

/** A mark in a tag, also in the words of the taxonomies of the Information Exchange Policy. */
const markInTag = /^(?:tlp[\s:=_-]+|iep2?(?:-policy)?:(?:traffic-light-protocol|tlp)=)"?(.*?)"?$/is;
/** A mark in prose, where MISP's users put it too. */
const markInText = /\btlp[\s:=_-]*(red|amber\s*[+_-]?\s*strict|amber|green|clear|white)\b/gi;

/** The strictest mark of an attribute and of its event, wherever one can stand; null without one. */
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

/** What is not marked may be shown. A mark that we do not know is as strict as any. */
function rankOf(mark: string | null): number {
  return mark === null ? 0 : (tlpRank.get(mark) ?? 4);
}

/** The level that the event's author gave the event; it says nothing about the person. 4 is "undefined". */
const severityOfLevel: ReadonlyMap<string, Severity> = new Map([
  ["1", "high"],
  ["2", "medium"],
]);

const maxTextLength = 200;
const maxListLength = 20;

/** Comments stay out: they are free text, and hold names and secrets. */
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

/** At most 120 characters; of a long one the text in the quotes is cut, so that who said it stays readable. */
function titleOf({ type, Event: event }: Attribute, asked: string): string {
  const start = `Listed as ${shownLine(type, maxNameLength, asked)} in MISP event "`;
  const end = event.Orgc == null ? '"' : `" (${shownLine(event.Orgc.name, maxNameLength, asked)})`;
  const room = maxTitleLength - start.length - end.length;
  const info = shownLine(event.info, maxTitleLength, asked);
  return start + (info.length <= room ? info : `${oneLine(info, room - 1)}…`) + end;
}

/** From ISO-8601 with its zone, or microseconds since 1970 (MISP has both, the latter as text too); null for anything else. */
function seenAt(given: string | number | null | undefined): string | null {
  const text = String(given ?? "");
  const isMicroseconds = /^\d{1,17}$/.test(text);
  const isIso = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  if (!isMicroseconds && !isIso) return null;
  const at = new Date(isIso ? text : Number(text) / 1000);
  return Number.isNaN(at.getTime()) ? null : timestamp(at);
}

/** Sorted, no duplicates, bounded. */
function boundedList(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort().slice(0, maxListLength);
}

/** Says in the details of the first finding that not all attributes were read. */
function tellCut([first, ...rest]: readonly Finding[], readCount: number): Finding[] {
  if (first === undefined) return [];
  return [
    { ...first, details: [...first.details, { attributes_read: readCount, has_more_attributes: true }] },
    ...rest,
  ];
}
