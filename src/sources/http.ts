import * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";
import { capFindings, type Finding, makeFinding, mergeFindings, parseSeverity } from "../domain/finding.ts";
import { parseLeakYear } from "../domain/time.ts";
import { parseJsonAnswer, parseNotFound } from "../egress/answer.ts";
import { checkAddress } from "./answered-address.ts";
import { readRows, tellUnreadable } from "./rows.ts";
import type { SourceKind } from "./source.ts";

const placeholder = "{email}";

const settings = z.lazy(() =>
  z.strictObject({
    url: z
      .string()
      .check(z.refine(holdsPlaceholder, `must be an http(s) URL with ${placeholder} in its path or query`)),
  }),
);

/**
 * A service of the organisation that answers in the format of docs/contract.md 11.6: a 200 with `{"findings":[...]}`,
 * whose fields are those of a corpus record, or its own 404 for an unknown address. Every other answer is a failure.
 */
export const http: SourceKind<z.infer<typeof settings>> = {
  kind: "http",
  isListed: true,
  mayBeInternal: true,
  // Its reliability is unknown to us; the operator sets `confidence`.
  confidence: 0.6,
  isOnline: true,
  settings,
  pace: null,
  timeoutMs: 10_000,
  lookup: async ({ value: asked }, { name, settings: { url }, http: client, signal }) => {
    const response = await client.request({
      url: url.replaceAll(placeholder, encodeURIComponent(asked)),
      headers: { accept: "application/json" },
      signal,
    });
    if (response.status === 404) {
      checkAddress(parseNotFound(response), asked);
      return { findings: [], isNotFound: true };
    }
    const value = parseJsonAnswer(response);
    const parsed = answer.safeParse(value);
    if (!parsed.success) throw new SourceError("bad_answer", "not the shape of docs/contract.md 11.6");
    checkAddress(value, asked);
    for (const row of parsed.data.findings) checkAddress(row, asked);
    const { rows, unreadableCount } = readRows(record, parsed.data.findings);
    const findings = rows.map((fields) => findingOf(fields, name, asked));
    return { findings: capFindings(mergeFindings(findings)), missing: tellUnreadable(unreadableCount, "findings") };
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
const answer = z.lazy(() => z.object({ findings: z.array(z.unknown()) }));

/** Absent, null and empty fields get the defaults of docs/contract.md 11.4. Only a null severity is low (7.4). */
function findingOf(fields: z.infer<typeof record>, source: string, asked: string): Finding {
  const date = textOf(fields.date) ?? "";
  const year = parseLeakYear(date);
  const severity = fields.severity === null ? null : (textOf(fields.severity) ?? "medium");
  const subject = textOf(fields.subject);
  return makeFinding({
    category: textOf(fields.category) ?? "breach",
    severity: parseSeverity(severity),
    title: textOf(fields.title) ?? `Present in ${source}`,
    // An address is not a site.
    subject: subject === null || subject.includes("@") ? source : subject,
    sourceUrl: textOf(fields.source_url),
    asked,
    year,
    ...(year === null ? {} : { details: { date } }),
  });
}

/** Longer text is cut first to save time. The limits of a finding are lower. */
const maxTextLength = 2048;

function textOf(field: string | null | undefined): string | null {
  const trimmed = field?.slice(0, maxTextLength).trim() ?? "";
  return trimmed === "" ? null : trimmed;
}
