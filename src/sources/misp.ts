import * as z from "zod/mini";
import { parseEmail } from "../domain/email.ts";
import { timestamp } from "../domain/envelope.ts";
import { SourceError } from "../domain/error.ts";
import {
  capFindings,
  compareText,
  type Finding,
  makeFinding,
  maxFindingsPerAnswer,
  mergeFindings,
  oneLine,
  type Severity,
} from "../domain/finding.ts";
import { failureOf, parseJsonAnswer } from "../egress/answer.ts";
import type { HttpClient, HttpResponse } from "../egress/client.ts";
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
 * What is marked above `max_tlp` is dropped. Source: MISP 2.5, app/webroot/doc/openapi.yaml.
 */
export const misp: SourceKind<z.infer<typeof settings>> = {
  kind: "misp",
  // It depends on the feeds of that MISP: the operator knows better, and says so in `confidence`.
  confidence: 0.8,
  isOnline: true,
  auth: "key",
  ownHeaders: ["authorization", "content-type"],
  settings,
  pace: null,
  timeoutMs: 10_000,
  lookup: async (indicator, { baseUrl, apiKey, settings: { max_tlp: maxTlp }, http, signal }) => {
    if (baseUrl === null) throw new SourceError("not_configured", "it needs a base_url");
    if (apiKey === null) throw new SourceError("not_configured", "it needs an API key");
    const address = indicator.value;
    if (holdsOperator(address)) throw new SourceError("unsupported", "MISP would read the address as an expression");
    const { attributes, isWhole } = await search(address, { baseUrl, apiKey, http, signal });
    const findings = attributes
      // The database compares loosely: to it, é may equal e.
      .filter((attribute) => parseEmail(attribute.value) === address)
      .filter((attribute) => rankOf(strictestTlp(attribute)) <= rankOf(maxTlp))
      .map((attribute) => findingOf(attribute, baseUrl));
    const kept = capFindings(mergeFindings(findings));
    return { findings: isWhole ? kept : tellCut(kept, attributes.length) };
  },
};

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

type Access = {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly http: HttpClient;
  readonly signal: AbortSignal;
};

/** Reads page after page until one is not full. `isWhole` is false when the last one that is read still was. */
async function search(address: string, access: Access): Promise<{ attributes: Attribute[]; isWhole: boolean }> {
  const attributes: Attribute[] = [];
  for (let page = 1; page <= maxPages; page += 1) {
    const found = await searchPage(address, page, access);
    attributes.push(...found);
    if (found.length < pageSize) return { attributes, isWhole: true };
  }
  return { attributes, isWhole: false };
}

async function searchPage(address: string, page: number, { baseUrl, apiKey, http, signal }: Access) {
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
      page,
      includeEventTags: 1,
      includeContext: 1,
      includeSightings: 0,
      includeWarninglistHits: 1,
      deleted: 0,
    }),
    signal,
  });
  if (response.status !== 200) throw refusalOf(response);
  const parsed = answer.safeParse(parseJsonAnswer(response));
  if (!parsed.success) throw new SourceError("bad_answer", "not the shape of a MISP attribute search");
  return parsed.data.response.Attribute;
}

/** MISP says in its own words that a role may not search, and in its own header when its rate limit ends. */
function refusalOf(response: HttpResponse): SourceError {
  const text = new TextDecoder().decode(response.body);
  if (response.status === 405 && text.toLowerCase().includes("api searches are not allowed")) {
    return new SourceError("not_configured", "the role of this key may not search");
  }
  const seconds = response.headers["x-rate-limit-reset"];
  if (response.status === 429 && seconds !== undefined && /^\d{1,9}$/.test(seconds)) {
    return new SourceError("rate_limited", `answered 429, open again in ${seconds} s`);
  }
  return failureOf(response);
}

const id = z.string().check(z.regex(/^\d+$/));
const attribute = z.lazy(() =>
  z.object({
    event_id: id,
    type: z.string(),
    category: z.string(),
    to_ids: z.boolean(),
    value: z.string(),
    first_seen: z.nullish(z.string()),
    last_seen: z.nullish(z.string()),
    Event: z.object({
      uuid: z.guid(),
      info: z.string(),
      threat_level_id: id,
      date: z.string(),
      published: z.boolean(),
      Orgc: z.object({ name: z.string() }),
    }),
    Tag: z._default(z.array(z.object({ name: z.string() })), []),
    warnings: z._default(z.array(z.object({ warninglist_name: z.string() })), []),
  }),
);
type Attribute = z.infer<typeof attribute>;

/** Older versions say "nothing" with an empty list in place of the object. */
const nothing = z.lazy(() =>
  z.pipe(
    z.tuple([]),
    z.transform((): { Attribute: Attribute[] } => ({ Attribute: [] })),
  ),
);
const answer = z.lazy(() => z.object({ response: z.union([nothing, z.object({ Attribute: z.array(attribute) })]) }));

/** The mark of the strictest `tlp:` tag, those of the event included; null without one. */
function strictestTlp({ Tag: tags }: Attribute): string | null {
  const marks = tags
    .map(({ name }) => /^tlp:(.*)$/is.exec(name.trim())?.[1]?.trim().toLowerCase())
    .filter((mark) => mark !== undefined)
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
function findingOf(attribute: Attribute, baseUrl: string): Finding {
  const { Event: event } = attribute;
  const tlp = strictestTlp(attribute);
  return makeFinding({
    category: "threat_intel",
    severity: severityOfLevel.get(event.threat_level_id) ?? "low",
    title: titleOf(attribute),
    subject: `misp-event-${event.uuid}`,
    sourceUrl: `${baseUrl}/events/view/${attribute.event_id}`,
    details: {
      event_uuid: event.uuid,
      event_date: oneLine(event.date, maxTextLength),
      event_published: event.published,
      organisation: oneLine(event.Orgc.name, maxTextLength),
      attribute_type: oneLine(attribute.type, maxTextLength),
      attribute_category: oneLine(attribute.category, maxTextLength),
      to_ids: attribute.to_ids,
      first_seen: seenAt(attribute.first_seen),
      last_seen: seenAt(attribute.last_seen),
      tlp: tlp === null ? null : oneLine(tlp, maxTextLength),
      tags: listOf(attribute.Tag.map(({ name }) => name)),
      warninglists: listOf(attribute.warnings.map((warning) => warning.warninglist_name)),
    },
  });
}

const maxTitleLength = 120;
const maxNameLength = 40;

/** At most 120 characters; of a long one the text in the quotes is cut, so that who said it stays readable. */
function titleOf({ type, Event: event }: Attribute): string {
  const start = `Listed as ${oneLine(type, maxNameLength)} in MISP event "`;
  const end = `" (${oneLine(event.Orgc.name, maxNameLength)})`;
  const room = maxTitleLength - start.length - end.length;
  const info = oneLine(event.info, maxTitleLength);
  return start + (info.length <= room ? info : `${oneLine(info, room - 1)}…`) + end;
}

/** From ISO-8601 with its zone, or microseconds since 1970 as digits (MISP has both); null for anything else. */
function seenAt(text: string | null | undefined): string | null {
  const isMicroseconds = /^\d{1,17}$/.test(text ?? "");
  const isIso = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(text ?? "");
  if (!isMicroseconds && !isIso) return null;
  const at = new Date(isIso ? (text ?? "") : Number(text) / 1000);
  return Number.isNaN(at.getTime()) ? null : timestamp(at);
}

/** Sorted, no duplicates, bounded. */
function listOf(texts: readonly string[]): string[] {
  return [...new Set(texts.map((text) => oneLine(text, maxTextLength)))].sort().slice(0, maxListLength);
}

/** Says in the details of the first finding that not all attributes were read. */
function tellCut([first, ...rest]: readonly Finding[], readCount: number): Finding[] {
  if (first === undefined) return [];
  return [
    { ...first, details: [...first.details, { attributes_read: readCount, has_more_attributes: true }] },
    ...rest,
  ];
}
