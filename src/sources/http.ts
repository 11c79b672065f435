import * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";
import {
  capFindings,
  type Finding,
  makeFinding,
  mergeFindings,
  parseLeakYear,
  parseSeverity,
} from "../domain/finding.ts";
import { parseJsonAnswer } from "../egress/answer.ts";
import type { SourceKind } from "./source.ts";

const placeholder = "{email}";

/** Headers that frame the message or belong to the connection; the client sets them. */
const ownHeaders = [
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
];

const settings = z.lazy(() =>
  z.strictObject({
    url: z
      .string()
      .check(z.refine(holdsPlaceholder, `must be an http(s) URL with ${placeholder} in its path or query`)),
    headers: z._default(
      z.record(
        z.string().check(
          z.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a header name"),
          z.refine((name) => !ownHeaders.includes(name.toLowerCase()), "is set by xpose itself"),
        ),
        z.string().check(z.regex(/^[\t\x20-\x7e\x80-\xff]*$/, "must be a header value")),
      ),
      {},
    ),
  }),
);

/**
 * Any service of the organisation that answers in the format of CONTRACT.md 11.6: 200 `{"findings":[...]}` with the
 * fields of a corpus record, 404 when it knows nothing; everything else is a failure.
 */
export const http: SourceKind<z.infer<typeof settings>> = {
  kind: "http",
  // Unknown to us: what it is worth, the operator says in `confidence`.
  confidence: 0.6,
  isOnline: true,
  settings,
  pace: null,
  timeoutMs: 10_000,
  lookup: async (indicator, { name, settings: { url, headers }, http: client, signal }) => {
    const response = await client.request({
      url: url.replaceAll(placeholder, encodeURIComponent(indicator.value)),
      headers: { accept: "application/json", ...headers },
      signal,
    });
    if (response.status === 404) return { findings: [] };
    const parsed = answer.safeParse(parseJsonAnswer(response));
    if (!parsed.success) throw new SourceError("bad_answer", "not the shape of CONTRACT.md 11.6");
    const findings = parsed.data.findings.map((record) => findingOf(record, name, indicator.value));
    return { findings: capFindings(mergeFindings(findings)) };
  },
};

function holdsPlaceholder(text: string): boolean {
  const marker = "email-placeholder";
  const url = URL.parse(text.replaceAll(placeholder, marker));
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return false;
  const isElsewhere = [url.host, url.username, url.password, url.hash].some((part) => part.includes(marker));
  return !isElsewhere && url.username === "" && url.password === "" && (url.pathname + url.search).includes(marker);
}

const record = z.lazy(() => {
  const text = z.nullish(z.string());
  return z.object({ category: text, severity: text, title: text, subject: text, source_url: text, date: text });
});
const answer = z.lazy(() => z.object({ findings: z.array(record) }));

/** Absent, null and empty fields get the defaults of CONTRACT.md 11.4; only a null severity is low (7.4). */
function findingOf(fields: z.infer<typeof record>, source: string, address: string): Finding {
  const date = textOf(fields.date) ?? "";
  const year = parseLeakYear(date);
  const severity = fields.severity === null ? null : (textOf(fields.severity) ?? "medium");
  return makeFinding({
    category: textOf(fields.category) ?? "breach",
    severity: parseSeverity(severity),
    title: textOf(fields.title) ?? `Present in ${source}`,
    subject: textOf(fields.subject) ?? source,
    sourceUrl: urlWithout(address, textOf(fields.source_url)),
    year,
    ...(year === null ? {} : { details: { date: date } }),
  });
}

/** Longer text is cut before it costs time; the finding's own limits are below this. */
const maxTextLength = 2048;

function textOf(field: string | null | undefined): string | null {
  const trimmed = field?.slice(0, maxTextLength).trim() ?? "";
  return trimmed === "" ? null : trimmed;
}

/** A link that holds the address would carry it to whoever is shown the finding, and to the logs of the linked site. */
function urlWithout(address: string, url: string | null): string | null {
  if (url === null) return null;
  try {
    return decodeURIComponent(url).toLowerCase().includes(address) ? null : url;
  } catch {
    return null;
  }
}
