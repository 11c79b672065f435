import { AppError } from "../../domain/error.ts";
import { pastScanBody } from "../../domain/past-scan.ts";
import type { History } from "../../wire/history.ts";
import { apiKeyHash } from "../credentials.ts";
import { type Exchange, originOf } from "../exchange.ts";
import { parsePage, queryOf } from "../query.ts";
import { readIndicator } from "../question.ts";
import { toResponse } from "../reply-response.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";
import { refuseKey, withLimits } from "./enrich.ts";

/** POST /api/v1/soc/history: the finished scans of an indicator. The address is in the body, never in a URL. */
export async function history(exchange: Exchange): Promise<PlainResponse> {
  const { request, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  const { indicator, fault } = await readIndicator(request);
  const page = readPage(request);
  const reply = await app.calls.serve({
    kind: "history",
    caller: { keyHash },
    from: originOf(exchange),
    fault: fault ?? page.fault,
    indicator,
    indicatorHash: indicator === null ? "" : app.hashOf(indicator),
    limit: page.limit,
    cursor: page.cursor,
  });
  if (reply.kind !== "history") return withLimits(toResponse(reply), reply.charge, app.now());
  const scans = reply.scans.map(pastScanBody);
  const body = { indicator: reply.indicator, scans, next_cursor: reply.nextCursor };
  return withLimits(jsonResponse<History>(200, body), reply.charge, app.now());
}

function readPage(request: Request): { limit: number; cursor: string | null; fault: AppError | null } {
  try {
    return { ...parsePage(queryOf(request)), fault: null };
  } catch (error) {
    if (error instanceof AppError) return { limit: 1, cursor: null, fault: error };
    throw error;
  }
}
