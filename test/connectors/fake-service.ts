import { createHash } from "node:crypto";
import type { Certificate } from "../helpers/certificates.ts";
import { type Case, type Finding, type Source, scenarios } from "./scenarios.ts";

/** The key that the stand-in knows; the two others are refused with 401 and 403. */
export const goodKey = "xpz_live_0123456789abcdef0123456789abcdef0123456789abcdef";
export const unknownKey = "xpz_live_ffffffffffffffffffffffffffffffffffffffffffffffff";
export const freeKey = "xpz_live_eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

export type Call = {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
};

export type FakeService = {
  readonly url: string;
  readonly calls: readonly Call[];
  /** Calls whose body or query names this address, and all polls of its scan. */
  readonly callsFor: (email: string) => Call[];
  /** Every key that a request brought to the host to which redirects lead; empty if nobody followed. */
  readonly keysSeenElsewhere: readonly string[];
  readonly stop: () => Promise<void>;
};

/**
 * A stand-in for the exposure API on 127.0.0.1, as far as connectors use it: whoami, enrich with waiting, views and
 * `on_pending`, the case, bulk, watch and events. The part of an address before the `@` chooses the scenario.
 */
export function startFakeService(options: { certificate?: Certificate } = {}): FakeService {
  const calls: Call[] = [];
  const keysSeenElsewhere: string[] = [];
  const elsewhere = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const key = request.headers.get("x-api-key");
      if (key !== null) keysSeenElsewhere.push(key);
      return json(200, { status: "completed" });
    },
  });
  const state: State = { scans: new Map(), bulks: new Map(), refusedOnce: new Set(), away: elsewhere.url.href };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    ...(options.certificate === undefined ? {} : { tls: options.certificate }),
    fetch: async (request) => {
      const url = new URL(request.url);
      const text = await request.text();
      const body = text === "" ? null : JSON.parse(text);
      calls.push({
        method: request.method,
        path: url.pathname + url.search,
        headers: Object.fromEntries(request.headers),
        body,
      });
      return answer(state, request, url, body);
    },
  });
  const scheme = options.certificate === undefined ? "http" : "https";
  return {
    url: `${scheme}://127.0.0.1:${server.port}`,
    calls,
    keysSeenElsewhere,
    callsFor: (email) => {
      const id = requestIdOf(email);
      return calls.filter(({ path, body }) => path.includes(id) || JSON.stringify(body ?? "").includes(`"${email}"`));
    },
    stop: async () => {
      await server.stop(true);
      await elsewhere.stop(true);
    },
  };
}

type State = {
  readonly scans: Map<string, Scan>;
  readonly bulks: Map<string, readonly string[]>;
  readonly refusedOnce: Set<string>;
  readonly away: string;
};
type Scan = { readonly email: string; readonly isInside: boolean; polls: number };
type Body = {
  indicator?: { value?: string };
  indicators?: { value: string }[];
  options?: { tlp?: string; cached_only?: boolean };
};

/** The id of a scan follows from its address, so that tests can write it down. */
export function requestIdOf(email: string): string {
  const hex = createHash("sha256").update(email).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function answer(state: State, request: Request, url: URL, body: Body | null): Response | Promise<Response> {
  const key = request.headers.get("x-api-key");
  if (key === freeKey) return refusal(403, "plan_required", "The plan of this workspace does not include the API.");
  if (key !== goodKey) return refusal(401, "invalid_api_key", "The API key is missing or not recognised.");
  const path = url.pathname;
  if (path === "/api/v1/soc/whoami") return json(200, whoami);
  if (path === "/api/v1/soc/enrich" && request.method === "POST") return enrich(state, url, body ?? {});
  if (path === "/api/v1/soc/enrich" && request.method === "GET") {
    return enrich(state, url, { indicator: { value: url.searchParams.get("email") ?? "" } });
  }
  if (path === "/api/v1/soc/enrich/bulk") return bulk(state, body ?? {});
  const bulkId = /^\/api\/v1\/soc\/enrich\/bulk\/([^/]+)$/.exec(path)?.[1];
  if (bulkId !== undefined) return bulkBody(state, bulkId, true);
  const [, id, tail] = /^\/api\/v1\/soc\/enrich\/([0-9a-f-]{36})(\/case)?$/.exec(path) ?? [];
  const scan = state.scans.get(id ?? "");
  if (scan !== undefined) return tail === undefined ? poll(scan, url) : caseAnswer(scan);
  if (path === "/api/v1/soc/watch") {
    const count = body?.indicators?.length ?? 0;
    return json(200, { added: count, already: 0, invalid: [], total: count });
  }
  if (path === "/api/v1/soc/events") return json(200, eventsAfter(url.searchParams));
  return refusal(404, "not_found", "There is nothing here.");
}

function enrich(state: State, url: URL, { indicator, options = {} }: Body): Response | Promise<Response> {
  const email = (indicator?.value ?? "").toLowerCase();
  const name = email.split("@")[0] ?? "";
  if (!email.includes("@")) return refusal(400, "invalid_email", "The value is not a valid email address.");
  if (name === "redirect") return Response.redirect(state.away, 302);
  if (name === "login") return new Response("<!doctype html><title>Log in</title>", { headers: htmlType });
  if (name === "limited-long") return refusal(429, "rate_limited", "Too many requests.", { "retry-after": "3600" });
  if (name === "limited-bare") return refusal(429, "rate_limited", "Too many requests.");
  if (name === "limited-short" && !state.refusedOnce.has(email)) {
    state.refusedOnce.add(email);
    return refusal(429, "rate_limited", "Too many requests.", { "retry-after": "1" });
  }
  if (name === "unavailable") return new Response("<h1>Bad gateway</h1>", { status: 502, headers: htmlType });
  if (name === "huge") return new Response(hugeBody(), { headers: { "content-type": "application/json" } });
  if (name === "list") return json(200, []);
  if (options.cached_only === true && name === "not-cached") {
    return refusal(404, "not_cached", "There is no fresh result for this indicator.");
  }
  const tlp = (options.tlp ?? url.searchParams.get("tlp") ?? "").toLowerCase();
  const scan: Scan = { email, isInside: tlp === "red" || tlp === "amber+strict", polls: 0 };
  state.scans.set(requestIdOf(email), scan);
  const isPendingFirst = ["slow", "high", "failed"].includes(name);
  if (isPendingFirst) return pendingAnswer(scan, url, 202);
  return finalAnswer(scan, url, "hit");
}

function poll(scan: Scan, url: URL): Response {
  scan.polls += 1;
  if (scan.email.startsWith("slow@")) return pendingAnswer(scan, url, 200);
  return finalAnswer(scan, url, "miss_scan_complete");
}

function pendingAnswer(scan: Scan, url: URL, status: 200 | 202): Response {
  const id = requestIdOf(scan.email);
  const onPending = url.searchParams.get("on_pending");
  const headers = { "retry-after": "1", location: `/api/v1/soc/enrich/${id}` };
  if (onPending === "503") return refusal(503, "scan_pending", "The scan is not finished.", headers);
  const code = onPending === "202" ? 202 : status;
  const query = ["view", "on_pending"]
    .filter((name) => url.searchParams.has(name))
    .map((name) => `${name}=${url.searchParams.get(name)}`);
  if (query.length > 0) headers.location += `?${query.join("&")}`;
  if (url.searchParams.get("view") === "flat") return json(code, flatPending(scan.email), headers);
  const indicator = { type: "email", value: scan.email };
  const body = { status: "scanning", request_id: id, poll_url: `/api/v1/soc/enrich/${id}`, indicator };
  return json(code, status === 202 ? body : { status: "scanning", request_id: id }, headers);
}

function finalAnswer(scan: Scan, url: URL, cache: string): Response {
  const found = caseOf(scan);
  const headers: Record<string, string> = {};
  if (found.partial) headers["x-xpose-partial"] = "1";
  if (found.reach === "inside") headers["x-xpose-reach"] = "inside";
  if (url.searchParams.get("view") === "flat") return json(200, flatOf(found), headers);
  if (found.exposure === null) return json(200, { status: "failed", request_id: found.request_id });
  const { request_id, status, indicator, exposure, disambiguation } = found;
  return json(200, { request_id, status, cache, indicator, exposure, disambiguation }, headers);
}

function caseAnswer(scan: Scan): Response {
  if (scan.email.startsWith("slow@")) return json(200, { status: "scanning", request_id: requestIdOf(scan.email) });
  return json(200, caseOf(scan));
}

/** The case of an address: what its scenario says, as the service would write it. */
export function caseFor(email: string, isInside = false): Case {
  return caseOf({ email, isInside, polls: 0 });
}

function caseOf({ email, isInside }: Scan): Case {
  const scenario = scenarios[email.split("@")[0] ?? ""] ?? scenarios["nothing"];
  const sources = (scenario?.sources ?? []).map((source) =>
    isInside && source.isOutside ? { ...source, outcome: "skipped" as const, error: "tlp" } : source,
  );
  const findings = (scenario?.findings ?? []).map((finding) => ({ ...atom, ...finding, indicator_value: email }));
  const failed = sources.filter(({ outcome }) => outcome === "failed");
  const isFailed = sources.every(({ outcome }) => outcome === "failed" || outcome === "skipped");
  return {
    request_id: requestIdOf(email),
    status: isFailed ? "failed" : "completed",
    indicator: { type: "email", value: email },
    asked_at: "2026-11-27T10:00:00+00:00",
    finished_at: "2026-11-27T10:00:04+00:00",
    partial: !isFailed && failed.length > 0,
    reach: isInside ? "inside" : "full",
    digest: `sha256:${createHash("sha256").update(JSON.stringify(findings)).digest("hex")}`,
    failed_sources: failed.map(({ source, error }) => ({ source, error })),
    exposure: isFailed ? null : { findings, total: findings.length, by_severity: bySeverity(findings) },
    evidence: isFailed ? null : findings.map((finding) => ({ ...finding, subject: "", details: {} })),
    sources: sources.map((source) => row(source, findings)),
    disambiguation: {
      required: true,
      reason:
        "person-resolution gated pending employer-domain disambiguation (R7); v1 returns indicator exposure only, no identity attribution",
    },
    generator: { name: "xpose", version: "0.1.0" },
  };
}

const atom: Finding = {
  source: "hibp",
  source_url: null,
  source_confidence: 0.9,
  source_tier: "high",
  corroboration_count: 0,
  corroborated_by: [],
  category: "breach",
  severity: "low",
  title: "",
  indicator_type: "email",
  indicator_value: "",
  first_seen: "2026-11-20T08:30:00+00:00",
  last_seen: "2026-11-27T10:00:03+00:00",
};

function row({ source, outcome, error }: Source, findings: readonly Finding[]) {
  const count = findings.filter((finding) => finding.source === source).length;
  const answered_at = outcome === "ok" || outcome === "no_data" ? "2026-11-27T10:00:03+00:00" : null;
  return {
    source,
    outcome,
    findings: count,
    duration_ms: 120,
    error,
    missing: [],
    answered_at,
    reused: false,
    omitted: 0,
  };
}

function bySeverity(findings: readonly Finding[]): Record<string, number> {
  const counts = ["high", "medium", "low"].map(
    (severity) => [severity, findings.filter((finding) => finding.severity === severity).length] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** The sentence of the service's own flat view. It is written from its rule, apart from the connectors under test. */
export function headlineOf(found: Case): string {
  const { total, by_severity } = found.exposure ?? { total: 0, by_severity: {} as Record<string, number> };
  const severities = Object.entries(by_severity).map(([severity, count]) => `${count} ${severity}`);
  const asked = found.sources.filter(({ outcome }) => outcome !== "skipped").length;
  const failed = found.failed_sources.map(({ source, error }) => `${source} (${error})`);
  const parts = [
    `${total === 0 ? "No finding" : total === 1 ? "1 finding" : `${total} findings`}${severities.length > 0 ? ` (${severities.join(", ")})` : ""}`,
    `${asked - failed.length} of ${asked} sources answered`,
    ...(failed.length > 0 ? [`could not look: ${failed.join(", ")}`] : []),
    ...(found.reach === "inside" ? ["outside sources were not asked"] : []),
  ];
  return parts.join("; ");
}

const flatKeys =
  "email status request_id headline total high medium low partial sources_asked sources_answered sources_failed categories titles reach digest finished_at poll_url".split(
    " ",
  );

function flatPending(email: string): Record<string, unknown> {
  const id = requestIdOf(email);
  const known = { email, status: "scanning", request_id: id, poll_url: `/api/v1/soc/enrich/${id}` };
  return { ...Object.fromEntries(flatKeys.map((key) => [key, null])), ...known };
}

/** The flat view of a case. */
export function flatOf(found: Case): Record<string, unknown> {
  const flat = { ...flatPending(found.indicator.value), status: found.status, poll_url: null };
  const failed = found.failed_sources.map(({ source }) => source).sort();
  if (found.exposure === null) return { ...flat, sources_failed: failed.join(" "), finished_at: found.finished_at };
  const asked = found.sources.filter(({ outcome }) => outcome !== "skipped").length;
  const { findings, total, by_severity } = found.exposure;
  return {
    ...flat,
    headline: headlineOf(found),
    total,
    high: by_severity["high"] ?? 0,
    medium: by_severity["medium"] ?? 0,
    low: by_severity["low"] ?? 0,
    partial: found.partial,
    sources_asked: asked,
    sources_answered: asked - failed.length,
    sources_failed: failed.join(" "),
    categories: [...new Set(findings.map(({ category }) => category))].sort().join(" "),
    titles: findings
      .slice(0, 5)
      .map(({ title }) => title)
      .join("; "),
    reach: found.reach,
    digest: found.digest,
    finished_at: found.finished_at,
  };
}

function bulk(state: State, { indicators = [], options = {} }: Body): Response {
  const emails = indicators.map(({ value }) => value.toLowerCase());
  if (emails.length > 1000) return refusal(400, "invalid_request", "More than 1000 indicators.");
  if (emails.some((email) => email.startsWith("limited-long@"))) {
    return refusal(429, "rate_limited", "Too many requests.", { "retry-after": "3600" });
  }
  const id = requestIdOf(emails.join(","));
  state.bulks.set(
    id,
    emails.map((email) => (options.cached_only === true && email.startsWith("not-cached@") ? `!${email}` : email)),
  );
  // The scan of this address runs at the first answer.
  return bulkBody(state, id, !emails.includes("partial@example.com"));
}

function bulkBody(state: State, id: string, isDone: boolean): Response {
  const emails = state.bulks.get(id);
  if (emails === undefined) return refusal(404, "not_found", "There is nothing here.");
  for (const email of emails) state.scans.set(requestIdOf(email), { email, isInside: false, polls: 0 });
  const results = emails.map((email) => bulkRow(email, isDone));
  const of = (...statuses: string[]) => results.filter(({ status }) => statuses.includes(status)).length;
  const pending = of("scanning");
  const counts = { completed: of("completed"), pending, failed: of("failed", "not_cached"), invalid: of("invalid") };
  const status = pending === 0 ? "completed" : "running";
  const poll_url = `/api/v1/soc/enrich/bulk/${id}`;
  return json(
    pending > 0 && !isDone ? 202 : 200,
    { bulk_id: id, status, poll_url, total: emails.length, counts, results },
    pending === 0 ? {} : { "retry-after": "1" },
  );
}

function bulkRow(email: string, isDone: boolean) {
  const indicator = { type: "email", value: email.replace("!", "") };
  const empty = { error: null, partial: null, failed_sources: [], reach: null, digest: null, total: null };
  if (email.startsWith("!")) {
    const error = { code: "not_cached", message: "There is no fresh result for this indicator." };
    return { indicator, status: "not_cached", request_id: null, ...empty, error };
  }
  if (!email.includes("@")) {
    const error = { code: "invalid_email", message: "The value is not a valid email address." };
    return { indicator, status: "invalid", request_id: null, ...empty, error };
  }
  const request_id = requestIdOf(email);
  if (!isDone || email.startsWith("slow@")) return { indicator, status: "scanning", request_id, ...empty };
  const found = caseFor(email);
  const failed_sources = found.failed_sources.map(({ source }) => source);
  if (found.exposure === null) {
    const error = { code: "scan_failed", message: "No source answered." };
    return { indicator, status: "failed", request_id, ...empty, error, failed_sources };
  }
  const { partial, reach, digest, exposure } = found;
  const { total } = exposure;
  return { indicator, status: "completed", request_id, error: null, partial, failed_sources, reach, digest, total };
}

/** The events of the stand-in, oldest first. */
export const events = ["exposure.new", "source.failing", "exposure.new"].map((type, index) => ({
  id: `0000000${index + 1}`,
  type,
  at: "2026-11-27T10:00:00+00:00",
}));

function eventsAfter(query: URLSearchParams) {
  const after = query.get("after") ?? "";
  const type = query.get("type");
  const limit = Number(query.get("limit") ?? "100");
  const rows = events.filter((event) => event.id > after && (type === null || type === event.type)).slice(0, limit);
  return { events: rows, next: rows.at(-1)?.id ?? after };
}

const htmlType = { "content-type": "text/html; charset=utf-8" };

const whoami = {
  workspace: { id: requestIdOf("workspace"), name: "default", plan: "enterprise" },
  key: { id: requestIdOf("key"), name: "test", prefix: "xpz_live_0123", expires_at: null, scopes: ["enrich", "watch"] },
  limits: {
    requests: { limit: 0, remaining: null, reset_at: null },
    polls: { limit: 0, remaining: null, reset_at: null },
  },
  sources: [],
  version: "0.1.0",
};

function hugeBody(): ReadableStream<Uint8Array> {
  const block = new Uint8Array(1024 * 1024).fill(0x20);
  let left = 17;
  return new ReadableStream({
    pull: (controller) => {
      controller.enqueue(left === 17 ? new TextEncoder().encode('{"status":"completed",') : block);
      left -= 1;
      if (left < 0) controller.close();
    },
  });
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}

function refusal(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return json(status, { error: { code, message } }, headers);
}
