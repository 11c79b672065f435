import { invalidApiKey } from "../../domain/admission.ts";
import type { Charge } from "../../domain/budget.ts";
import type { CompletedReply, PollCall, Reply, ReplyBody } from "../../domain/call.ts";
import { sourceRow } from "../../domain/case.ts";
import { AppError } from "../../domain/error.ts";
import { type Indicator, parseIndicator } from "../../domain/indicator.ts";
import { isFinished, type ScanId } from "../../domain/scan.ts";
import { isId } from "../../domain/workspace.ts";
import type { Accepted, EnrichRequest, Progress, ScanSources } from "../../wire/scan.ts";
import type { Unchecked } from "../../wire/shape.ts";
import { discardBody, readJson } from "../body.ts";
import { apiKeyHash } from "../credentials.ts";
import { errorResponse, statusOf } from "../errors.ts";
import { type Exchange, originOf } from "../exchange.ts";
import { jsonResponse, type PlainResponse, storedResponse } from "../response.ts";

/** docs/contract.md 3.2. */
const maxBodyBytes = 16_384;
/** docs/contract.md 3.6. */
const longestWaitSeconds = 50;
const enrichPath = "/api/v1/soc/enrich";

const nothing = {};

/** Any depth of 1 to 64 characters is accepted for forward compatibility and changes nothing (docs/contract.md 3.1). */
function areOptions(options: unknown): boolean {
  if (options === null || options === undefined) return true;
  if (!isObject(options)) return false;
  const { depth }: Unchecked<NonNullable<EnrichRequest["options"]>> = options;
  if (depth === null || depth === undefined) return true;
  if (typeof depth !== "string") return false;
  const { length } = [...depth];
  return length >= 1 && length <= 64;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** POST /api/v1/soc/enrich */
export async function enrich(exchange: Exchange): Promise<PlainResponse> {
  const { request, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  const from = originOf(exchange);
  const { indicator, fault } = await readIndicator(request);
  const reply = await app.calls.serve({
    kind: "enrich",
    caller: { keyHash },
    from,
    fault,
    indicator,
    indicatorHash: indicator === null ? "" : app.hashOf(indicator),
    newScanId: app.newScanId(),
    runner: null,
  });
  const { charge } = reply;
  const now = app.now();
  const answerNow = () => withLimits(toResponse(reply, { publicUrl: app.publicUrl }), charge, now);
  const waitSeconds = reply.kind === "accepted" ? waitPreference(request.headers.get("Prefer")) : null;
  if (reply.kind !== "accepted" || waitSeconds === null) return answerNow();
  const leave = app.waits.take(keyHash);
  // Too many requests wait already: the usual answer to a miss is always a right answer (docs/contract.md 3.6).
  if (leave === null) return answerNow();
  await app.whenSettled(reply.scanId, waitSeconds * 1000, request.signal).finally(leave);
  const rest = { scanId: reply.scanId, view: "envelope", isCharged: true } as const;
  const waited = await app.calls.serve({ kind: "poll", caller: { keyHash }, from, ...rest });
  // The address was forgotten during the wait. The scan was accepted, so the answer stays 202; only a poll may say
  // that the scan is gone (docs/pipeline.md 21.16).
  const isForgotten = waited.kind === "refused" && waited.error.code === "not_found";
  if (waited.kind === "unfinished" || isForgotten) return answerNow();
  const response = toResponse(waited);
  // The key was revoked during the wait: the usual answer for a revoked key (docs/contract.md 1.2).
  if (waited.kind === "refused" && waited.denied !== undefined) return response;
  response.headers["Preference-Applied"] = "wait";
  return withLimits(response, charge, now);
}

/** Refuses a malformed key without a look-up. It is recorded as a denial like any other. */
export async function refuseKey(exchange: Exchange): Promise<PlainResponse> {
  const { request, app } = exchange;
  await discardBody(request);
  app.trail.denied(originOf(exchange), "401", "unknown");
  return errorResponse(invalidApiKey());
}

/** Adds the headers about the charged budget (docs/contract.md 8.5). */
function withLimits(response: PlainResponse, charge: Charge | undefined, now: Date): PlainResponse {
  if (charge === undefined) return response;
  const { headers } = response;
  headers["X-RateLimit-Limit"] = String(charge.limit);
  headers["X-RateLimit-Remaining"] = String(charge.remaining);
  headers["X-RateLimit-Reset"] = String(Math.ceil((now.getTime() + charge.resetInMs) / 1000));
  return response;
}

/** The outcome of a reply for the audit trail: its HTTP status. */
export function outcomeOf(reply: ReplyBody): string {
  if (reply.kind === "refused") return String(statusOf[reply.error.code]);
  return reply.kind === "accepted" ? "202" : "200";
}

/** Reads the indicator. Returns a fault instead of throwing: key, plan and budget come first (docs/contract.md 2). */
export async function readIndicator(
  request: Request,
): Promise<{ indicator: Indicator | null; fault: AppError | null }> {
  try {
    const body = await readJson(request, maxBodyBytes, { isFramed: true });
    // Checked by hand: a schema would take 2 us of the 30 us of a hit.
    const { indicator, options }: Unchecked<EnrichRequest> = isObject(body) ? body : nothing;
    if (!isObject(indicator)) {
      throw new AppError("invalid_request", "The body needs an indicator object with type and value");
    }
    if (!areOptions(options)) {
      throw new AppError("invalid_request", "The options must be an object whose depth is text of 1 to 64 characters");
    }
    const { type, value }: Unchecked<EnrichRequest["indicator"]> = indicator;
    return { indicator: parseIndicator(type, value), fault: null };
  } catch (error) {
    if (error instanceof AppError) return { indicator: null, fault: error };
    throw error;
  }
}

/** The seconds of `Prefer: wait=N`, or null. The first `wait` counts; 0 and anything but whole numbers are ignored. */
export function waitPreference(header: string | null): number | null {
  const preference = header
    ?.split(",")
    .map((text) => text.split(";", 1)[0] ?? "")
    .find((text) => /^\s*wait\s*=/i.test(text));
  const digits = /^\s*wait\s*=\s*(?:"(\d+)"|(\d+))\s*$/i.exec(preference ?? "");
  const seconds = Number(digits?.[1] ?? digits?.[2] ?? 0);
  return seconds >= 1 ? Math.min(seconds, longestWaitSeconds) : null;
}

/** GET /api/v1/soc/enrich/{request_id} */
export function poll(exchange: Exchange): Promise<PlainResponse> {
  return read(exchange, "envelope");
}

/** GET /api/v1/soc/enrich/{request_id}/sources */
export function sources(exchange: Exchange): Promise<PlainResponse> {
  return read(exchange, "sources");
}

/** GET /api/v1/soc/enrich/{request_id}/evidence */
export function evidence(exchange: Exchange): Promise<PlainResponse> {
  return read(exchange, "evidence");
}

type Reading = {
  /** An error in the request, answered after the checks of key and budget (docs/contract.md 2). */
  readonly fault?: AppError | null;
  readonly present?: (reply: Reply) => PlainResponse;
};

/** Answers a poll about the scan that the path names. */
export async function read(
  exchange: Exchange,
  view: PollCall["view"],
  { fault = null, present = toResponse }: Reading = {},
): Promise<PlainResponse> {
  const { request, parameters, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  await discardBody(request);
  const id = parameters["request_id"] ?? "";
  // A malformed id is handled like an unknown one, so that the two cannot be told apart.
  const scanId = isId(id) ? (id as ScanId) : null;
  const from = originOf(exchange);
  const call = { kind: "poll", caller: { keyHash }, from, scanId, view, fault, isCharged: false } as const;
  const reply = await app.calls.serve(call);
  return withLimits(present(reply), reply.charge, app.now());
}

/** Where a caller polls: the path of the API, and the public URL of the service. */
type PollPlace = { readonly path?: string; readonly publicUrl?: string | null };

/**
 * The HTTP answer for a reply. `poll_url` is always a path. `Location` is absolute when `publicUrl` is set, for clients
 * behind a proxy that adds a path prefix (docs/pipeline.md 21.20).
 */
export function toResponse(reply: Reply, { path = enrichPath, publicUrl = null }: PollPlace = {}): PlainResponse {
  switch (reply.kind) {
    case "refused": {
      const isLimit = reply.error.code === "rate_limited" && reply.charge !== undefined;
      const retry = isLimit ? { "Retry-After": String(Math.max(1, Math.ceil(reply.charge.resetInMs / 1000))) } : {};
      return errorResponse(reply.error, retry);
    }
    case "accepted": {
      const { scanId, indicator } = reply;
      const pollUrl = `${path}/${scanId}`;
      const body: Accepted = { status: "scanning", request_id: scanId, poll_url: pollUrl, indicator };
      return jsonResponse<Accepted>(202, body, { Location: `${publicUrl ?? ""}${pollUrl}`, "Retry-After": "1" });
    }
    case "unfinished":
      return jsonResponse<Progress>(200, { status: reply.state, request_id: reply.scanId }, { "Retry-After": "1" });
    case "failed":
      return jsonResponse<Progress>(200, { status: "failed", request_id: reply.scanId });
    case "completed":
      return envelopeResponse(reply);
    case "evidence":
      return storedResponse(200, reply.body);
    case "sources":
      return jsonResponse<ScanSources>(200, sourcesBody(reply), isFinished(reply.state) ? {} : { "Retry-After": "1" });
    case "case":
      throw new Error("a case was read without a route that presents it");
    case "whoami":
      throw new Error("whoami was asked without a route that presents it");
    case "claimed":
      throw new Error("a scan was claimed for a caller over HTTP");
  }
}

function envelopeResponse({ envelope, digest, isPartial, omittedCount }: CompletedReply): PlainResponse {
  const response = storedResponse(200, envelope);
  response.headers["X-Xpose-Exposure-Digest"] = digest;
  if (isPartial) response.headers["X-Xpose-Partial"] = "1";
  if (omittedCount > 0) response.headers["X-Xpose-Findings-Omitted"] = String(omittedCount);
  return response;
}

function sourcesBody({ scanId, state, runs }: Extract<Reply, { kind: "sources" }>): ScanSources {
  return { request_id: scanId, status: state, sources: runs.map(sourceRow) };
}
