import { findChanges } from "../../domain/changes.ts";
import { AppError } from "../../domain/error.ts";
import type { ScanId } from "../../domain/scan.ts";
import { isId } from "../../domain/workspace.ts";
import type { Changes } from "../../wire/changes.ts";
import type { Exchange } from "../exchange.ts";
import { queryOf } from "../query.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";
import { readWish } from "../wish.ts";
import { read } from "./enrich.ts";

/** GET /api/v1/soc/enrich/{request_id}/changes: the differences to an earlier scan of the same indicator. */
export function changes(exchange: Exchange): Promise<PlainResponse> {
  const { wish, fault } = readWish(exchange.request, { hasViews: false });
  const [since, ...others] = queryOf(exchange.request).getAll("since");
  const isTwice = others.length > 0;
  return read(exchange, "changes", {
    wish,
    fault: isTwice ? new AppError("invalid_request", "The parameter since must not be given twice") : fault,
    // A malformed id is handled like an unknown one.
    sinceId: since === undefined ? undefined : isId(since) ? (since as ScanId) : null,
    below: "/changes",
    repeated: since === undefined ? "" : `since=${encodeURIComponent(since)}`,
    present: (reply) =>
      reply.kind === "changes" ? jsonResponse<Changes>(200, findChanges(reply.scan, reply.since)) : null,
  });
}
