import type { PollCall } from "../../domain/call.ts";
import { AppError } from "../../domain/error.ts";
import type { ScanId } from "../../domain/scan.ts";
import { isId } from "../../domain/workspace.ts";
import { discardBody } from "../body.ts";
import { errorResponse } from "../errors.ts";
import { type OperatorExchange, originOf } from "../exchange.ts";
import { readQuestion } from "../question.ts";
import { toResponse } from "../reply-response.ts";
import type { PlainResponse } from "../response.ts";

const path = "/api/v1/dashboard/enrich";

/**
 * POST /api/v1/dashboard/enrich: a look-up by an operator in the dashboard. Bodies and answers are the same as in the
 * exposure API; the limit is per operator instead of per key.
 */
export async function lookUp(exchange: OperatorExchange): Promise<PlainResponse> {
  const { request, operator, app } = exchange;
  const waitSeconds = app.dashboard.lookUps.take(operator.id);
  if (waitSeconds !== null) {
    await discardBody(request);
    const error = new AppError("rate_limited", "Too many look-ups by this operator in a minute");
    return errorResponse(error, { "Retry-After": String(waitSeconds) });
  }
  const { indicator, options, fault } = await readQuestion(request);
  const reply = await app.calls.serve({
    kind: "enrich",
    caller: callerOf(exchange),
    from: originOf(exchange),
    fault,
    indicator,
    indicatorHash: indicator === null ? "" : app.hashOf(indicator),
    newScanId: app.newScanId(),
    options,
    runner: null,
  });
  return toResponse(reply, { path, publicUrl: app.publicUrl });
}

/** GET /api/v1/dashboard/enrich/{request_id} */
export function lookUpResult(exchange: OperatorExchange): Promise<PlainResponse> {
  return read(exchange, "envelope");
}

/** GET /api/v1/dashboard/enrich/{request_id}/sources */
export function lookUpSources(exchange: OperatorExchange): Promise<PlainResponse> {
  return read(exchange, "sources");
}

/** GET /api/v1/dashboard/enrich/{request_id}/evidence */
export function lookUpEvidence(exchange: OperatorExchange): Promise<PlainResponse> {
  return read(exchange, "evidence");
}

async function read(exchange: OperatorExchange, view: PollCall["view"]): Promise<PlainResponse> {
  const { request, parameters, app } = exchange;
  await discardBody(request);
  const id = parameters["request_id"] ?? "";
  const scanId = isId(id) ? (id as ScanId) : null;
  const from = originOf(exchange);
  const caller = callerOf(exchange);
  return toResponse(await app.calls.serve({ kind: "poll", caller, from, scanId, view, isCharged: false }), { path });
}

function callerOf({ operator }: OperatorExchange) {
  return { workspaceId: operator.workspaceId, actor: `operator:${operator.name}` };
}
