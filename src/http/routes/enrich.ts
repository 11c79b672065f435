import { invalidApiKey } from "../../domain/admission.ts";
import type { Charge } from "../../domain/budget.ts";
import type { PollCall, Reply } from "../../domain/call.ts";
import type { ScanId } from "../../domain/scan.ts";
import { isId } from "../../domain/workspace.ts";
import { discardBody } from "../body.ts";
import { apiKeyHash } from "../credentials.ts";
import { errorResponse } from "../errors.ts";
import { type Application, type Exchange, originOf } from "../exchange.ts";
import { type Question, readQueryQuestion, readQuestion } from "../question.ts";
import { type Place, toResponse, withReach } from "../reply-response.ts";
import type { PlainResponse } from "../response.ts";
import { asPublished, type ReadWish, readWish, type Wish } from "../wish.ts";

/** docs/contract.md 3.6. */
const longestWaitSeconds = 50;
/**
 * A poll that waits looks again after this time: a scan that a command runs, or that ended just before the wait, wakes
 * nobody in this process.
 */
const lookAgainMs = 1_000;
/** For the answer itself, when the wait is over. */
const answerMarginSeconds = 10;

/** POST /api/v1/soc/enrich */
export function enrich(exchange: Exchange): Promise<PlainResponse> {
  return lookUp(exchange, readQuestion);
}

/** GET /api/v1/soc/enrich: the same for a client that can only GET (docs/pipeline.md 16.5). */
export function lookUpByQuery(exchange: Exchange): Promise<PlainResponse> {
  return lookUp(exchange, async (request) => {
    await discardBody(request);
    return readQueryQuestion(request);
  });
}

async function lookUp(exchange: Exchange, readFrom: (request: Request) => Promise<Question>): Promise<PlainResponse> {
  const { request, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  const from = originOf(exchange);
  const question = await readFrom(request);
  const { indicator, options } = question;
  const { wish, fault } = readWish(request, { hasViews: true });
  const { onPending } = wish;
  const reply = await app.calls.serve({
    kind: "enrich",
    caller: { keyHash },
    from,
    fault: question.fault ?? fault,
    indicator,
    indicatorHash: indicator === null ? "" : app.hashOf(indicator),
    newScanId: app.newScanId(),
    options,
    view: viewOf(wish),
    onPending,
    runner: null,
  });
  const { charge } = reply;
  const now = app.now();
  const place = placeOf(app, wish);
  const answerNow = () => withLimits(toResponse(reply, place), charge, now);
  if (reply.kind !== "accepted") return answerNow();
  const poll = { scanId: reply.scanId, view: viewOf(wish), onPending, isCharged: true } as const;
  const waited = await waitForEnd(
    exchange,
    { kind: "poll", caller: { keyHash }, from, ...poll },
    longestWaitSeconds * 1000,
  );
  if (waited === null) return answerNow();
  // The address was forgotten during the wait. The scan was accepted, so the answer stays 202; only a poll may say
  // that the scan is gone (docs/pipeline.md 21.16).
  const isForgotten = waited.kind === "refused" && waited.error.code === "not_found";
  if (waited.kind === "unfinished" || isForgotten) return answerNow();
  return answerWaited(waited, toResponse(waited, place), charge, now);
}

/**
 * Waits until the scan of a poll is over, as `Prefer: wait` asks. The reply of the last look, or null when the request
 * does not wait: without the preference, and when too many requests wait already. The usual answer to a pending scan is
 * always a right answer (docs/contract.md 3.6).
 */
async function waitForEnd(
  { request, peer, app }: Exchange,
  poll: PollCall & { readonly scanId: ScanId },
  stepMs: number,
): Promise<Reply | null> {
  const seconds = waitPreference(request.headers.get("Prefer"));
  const holder = "keyHash" in poll.caller ? poll.caller.keyHash : null;
  const leave = seconds === null || holder === null ? null : app.waits.take(holder);
  if (seconds === null || leave === null) return null;
  peer.listener?.keepOpen(request, seconds + answerMarginSeconds);
  try {
    const endsAt = app.steadyNow() + seconds * 1000;
    for (;;) {
      const startedAt = app.steadyNow();
      const waitMs = Math.min(stepMs, endsAt - startedAt);
      await app.whenSettled(poll.scanId, waitMs, request.signal);
      const reply = await app.calls.serve(poll);
      // An early end of the wait says that the scan ended, that the client left, or that the service stops.
      const wasShort = app.steadyNow() - startedAt < waitMs / 2;
      if (reply.kind !== "unfinished" || wasShort || app.steadyNow() >= endsAt) return reply;
    }
  } finally {
    leave();
  }
}

/** The answer after a wait that was worth it. */
function answerWaited(waited: Reply, response: PlainResponse, charge: Charge | undefined, now: Date): PlainResponse {
  // The key was revoked during the wait: the usual answer for a revoked key (docs/contract.md 1.2).
  if (waited.kind === "refused" && waited.denied !== undefined) return response;
  response.headers["Preference-Applied"] = "wait";
  return withLimits(response, charge, now);
}

function viewOf({ view }: Wish): "envelope" | "case" {
  return view === "envelope" ? "envelope" : "case";
}

function placeOf({ publicUrl, dashboard: { version } }: Application, wish: Wish): Place {
  return { publicUrl, wish, version };
}

/** Refuses a malformed key without a look-up. It is recorded as a denial like any other. */
export async function refuseKey(exchange: Exchange): Promise<PlainResponse> {
  const { request, app } = exchange;
  await discardBody(request);
  app.trail.denied(originOf(exchange), "401", "unknown");
  return errorResponse(invalidApiKey());
}

/** Adds the headers about the charged budget (docs/contract.md 8.5). */
export function withLimits(response: PlainResponse, charge: Charge | undefined, now: Date): PlainResponse {
  if (charge === undefined) return response;
  const { headers } = response;
  headers["X-RateLimit-Limit"] = String(charge.limit);
  headers["X-RateLimit-Remaining"] = String(charge.remaining);
  headers["X-RateLimit-Reset"] = String(Math.ceil((now.getTime() + charge.resetInMs) / 1000));
  return response;
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
  const { wish, fault } = readWish(exchange.request, { hasViews: true });
  return read(exchange, viewOf(wish), { wish, fault, mayWait: true });
}

/** GET /api/v1/soc/enrich/{request_id}/sources */
export function sources(exchange: Exchange): Promise<PlainResponse> {
  return read(exchange, "sources");
}

/** GET /api/v1/soc/enrich/{request_id}/evidence */
export function evidence(exchange: Exchange): Promise<PlainResponse> {
  return read(exchange, "evidence");
}

type Reading = Partial<ReadWish> & {
  /** For the view `changes`. */
  readonly sinceId?: ScanId | null | undefined;
  /** The path below the id, and the parameters that a further poll repeats. */
  readonly below?: string;
  readonly repeated?: string;
  /** True when the request may wait for the end of the scan (docs/pipeline.md 16.3). */
  readonly mayWait?: boolean;
  /** The answer for the replies of a route of its own; null for those that every route answers alike. */
  readonly present?: (reply: Reply) => PlainResponse | null;
};

/** Answers a poll about the scan that the path names. */
export async function read(exchange: Exchange, view: PollCall["view"], reading: Reading = {}): Promise<PlainResponse> {
  const { request, parameters, app } = exchange;
  const { wish = asPublished, fault = null, sinceId, below, repeated, mayWait = false, present } = reading;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  await discardBody(request);
  const id = parameters["request_id"] ?? "";
  // A malformed id is handled like an unknown one, so that the two cannot be told apart.
  const scanId = isId(id) ? (id as ScanId) : null;
  const { onPending } = wish;
  const call = {
    kind: "poll",
    caller: { keyHash },
    from: originOf(exchange),
    view,
    sinceId,
    onPending,
    fault,
  } as const;
  const place = { ...placeOf(app, wish), below, repeated };
  const respond = (reply: Reply) => withReach(present?.(reply) ?? toResponse(reply, place), reply);
  const reply = await app.calls.serve({ ...call, scanId, isCharged: false });
  const answerNow = () => withLimits(respond(reply), reply.charge, app.now());
  if (!mayWait || reply.kind !== "unfinished") return answerNow();
  const waited = await waitForEnd(exchange, { ...call, scanId: reply.scanId, isCharged: true }, lookAgainMs);
  if (waited === null) return answerNow();
  if (waited.kind === "unfinished") return withLimits(respond(waited), reply.charge, app.now());
  return answerWaited(waited, respond(waited), reply.charge, app.now());
}
