import { z } from "zod";
import { invalidApiKey } from "../../domain/admission.ts";
import { envelopeText } from "../../domain/envelope.ts";
import { AppError } from "../../domain/error.ts";
import { type Indicator, parseIndicator } from "../../domain/indicator.ts";
import { isFinished, type ScanId } from "../../domain/scan.ts";
import { isId } from "../../domain/workspace.ts";
import type { CompletedReply, PollCall, Reply } from "../../store/store.ts";
import { discardBody, readJson } from "../body.ts";
import { apiKeyHash } from "../credentials.ts";
import { jsonResponse } from "../errors.ts";
import type { Exchange } from "../router.ts";

/** CONTRACT.md 3.2. */
const maxBodyBytes = 16_384;
/** CONTRACT.md 3.6. */
const longestWaitSeconds = 50;
const enrichPath = "/api/v1/soc/enrich";

const enrichBody = z.object({
  indicator: z.object({ type: z.unknown().optional(), value: z.unknown().optional() }),
  options: z.object({ depth: z.string().refine(isDepth).nullish() }).nullish(),
});

/** Any name of 1 to 64 characters is accepted for forward compatibility and changes nothing (CONTRACT.md 3.1). */
function isDepth(text: string): boolean {
  const { length } = [...text];
  return length >= 1 && length <= 64;
}

/** POST /api/v1/soc/enrich */
export async function enrich({ request, app }: Exchange): Promise<Response> {
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) {
    await discardBody(request);
    throw invalidApiKey();
  }
  const { indicator, fault } = await readIndicator(request);
  const reply = await app.calls.serve({
    kind: "enrich",
    caller: { keyHash },
    fault,
    indicator,
    indicatorHash: indicator === null ? "" : app.hashOf(indicator),
    newScanId: app.newScanId(),
    runner: null,
  });
  if (reply.kind === "completed") return envelopeResponse(reply, "hit");
  const waitSeconds = waitPreference(request.headers.get("Prefer"));
  if (reply.kind !== "accepted" || waitSeconds === null) return toResponse(reply);
  await app.whenSettled(reply.scanId, waitSeconds * 1000, request.signal);
  const call = { kind: "poll", caller: { keyHash }, scanId: reply.scanId, view: "envelope" } as const;
  const waited = await app.calls.serve(call);
  if (waited.kind === "unfinished") return toResponse(reply);
  return toResponse(waited, { "Preference-Applied": "wait" });
}

/** A fault found here is kept: the key, the plan and the budget are checked first (CONTRACT.md 2). */
async function readIndicator(request: Request): Promise<{ indicator: Indicator | null; fault: AppError | null }> {
  try {
    const parsed = enrichBody.safeParse(await readJson(request, maxBodyBytes));
    if (!parsed.success) {
      const isOptions = parsed.error.issues.every(({ path }) => path[0] === "options");
      throw new AppError(
        "invalid_request",
        isOptions
          ? "The options must be an object whose depth is text of 1 to 64 characters"
          : "The body needs an indicator object with type and value",
      );
    }
    const { type, value } = parsed.data.indicator;
    return { indicator: parseIndicator(type, value), fault: null };
  } catch (error) {
    if (error instanceof AppError) return { indicator: null, fault: error };
    throw error;
  }
}

/** The seconds of `Prefer: wait=N`, or null: the first one counts, 0 and what is no whole number are ignored. */
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
export function poll(exchange: Exchange): Promise<Response> {
  return read(exchange, "envelope");
}

/** GET /api/v1/soc/enrich/{request_id}/sources */
export function sources(exchange: Exchange): Promise<Response> {
  return read(exchange, "sources");
}

/** GET /api/v1/soc/enrich/{request_id}/evidence */
export function evidence(exchange: Exchange): Promise<Response> {
  return read(exchange, "evidence");
}

async function read({ request, parameters, app }: Exchange, view: PollCall["view"]): Promise<Response> {
  await discardBody(request);
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) throw invalidApiKey();
  const id = parameters["request_id"] ?? "";
  // What is no id of ours goes the whole way too, so that it cannot be told from an unknown one.
  const scanId = isId(id) ? (id as ScanId) : null;
  return toResponse(await app.calls.serve({ kind: "poll", caller: { keyHash }, scanId, view }));
}

function toResponse(reply: Reply, headers: Readonly<Record<string, string>> = {}): Response {
  switch (reply.kind) {
    case "refused":
      throw reply.error;
    case "accepted": {
      const { scanId, indicator } = reply;
      const pollUrl = `${enrichPath}/${scanId}`;
      const body = { status: "scanning", request_id: scanId, poll_url: pollUrl, indicator };
      return jsonResponse(202, JSON.stringify(body), { Location: pollUrl, "Retry-After": "1" });
    }
    case "unfinished":
      return jsonResponse(200, JSON.stringify({ status: reply.state, request_id: reply.scanId }), {
        "Retry-After": "1",
      });
    case "failed":
      return jsonResponse(200, JSON.stringify({ status: "failed", request_id: reply.scanId }), headers);
    case "completed":
      return envelopeResponse(reply, "miss_scan_complete", headers);
    case "evidence":
      return jsonResponse(200, reply.body);
    case "sources":
      return jsonResponse(200, sourcesText(reply), isFinished(reply.state) ? {} : { "Retry-After": "1" });
    case "claimed":
      throw new Error("a scan was claimed for a caller over HTTP");
  }
}

function envelopeResponse(
  { scanId, envelopeTail, digest, isPartial }: CompletedReply,
  cache: "hit" | "miss_scan_complete",
  headers: Readonly<Record<string, string>> = {},
): Response {
  return jsonResponse(200, envelopeText(scanId, cache, envelopeTail), {
    "X-Xpose-Exposure-Digest": digest,
    ...(isPartial ? { "X-Xpose-Partial": "1" } : {}),
    ...headers,
  });
}

function sourcesText({ scanId, state, runs }: Extract<Reply, { kind: "sources" }>): string {
  const rows = runs.map(({ source, outcome, findingCount, durationMs, error, missing }) => ({
    source,
    outcome,
    findings: findingCount,
    duration_ms: durationMs,
    error,
    missing,
  }));
  return JSON.stringify({ request_id: scanId, status: state, sources: rows });
}
