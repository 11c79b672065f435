import type { Exchange } from "../exchange.ts";
import type { PlainResponse } from "../response.ts";
import { readWish } from "../wish.ts";
import { read } from "./enrich.ts";

/** GET /api/v1/soc/enrich/{request_id}/case: one document for a ticket, also for a failed scan. */
export function ticketCase(exchange: Exchange): Promise<PlainResponse> {
  return read(exchange, "case", { ...readWish(exchange.request, { hasViews: false }), below: "/case" });
}
