import { caseText } from "../../domain/case.ts";
import type { Exchange } from "../exchange.ts";
import { type PlainResponse, storedResponse } from "../response.ts";
import { read, toResponse } from "./enrich.ts";

/** GET /api/v1/soc/enrich/{request_id}/case: one document for a ticket, also for a failed scan. */
export function ticketCase(exchange: Exchange): Promise<PlainResponse> {
  const { version } = exchange.app.dashboard;
  return read(exchange, "case", {
    present: (reply) => (reply.kind === "case" ? storedResponse(200, caseText(reply, version)) : toResponse(reply)),
  });
}
