import type { Reply } from "../../domain/call.ts";
import { discardBody } from "../body.ts";
import { apiKeyHash } from "../credentials.ts";
import { type Exchange, originOf } from "../exchange.ts";
import { toResponse } from "../reply-response.ts";
import type { PlainResponse } from "../response.ts";
import { refuseKey, withLimits } from "./enrich.ts";

/** The holder of a key with the scope `watch`. */
export type WatchCaller = Extract<Reply, { kind: "admitted" }>;

/**
 * Admits the holder of a key with the scope `watch`, charges a poll, and lets `answer` answer. The body is read after that
 * (docs/contract.md 2).
 */
export async function forWatcher(
  exchange: Exchange,
  answer: (caller: WatchCaller) => Promise<PlainResponse>,
): Promise<PlainResponse> {
  const { request, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  const reply = await app.calls.serve({
    kind: "watch",
    caller: { keyHash },
    from: originOf(exchange),
    isCharged: false,
  });
  if (reply.kind === "admitted") return withLimits(await answer(reply), reply.charge, app.now());
  await discardBody(request);
  return withLimits(toResponse(reply), reply.charge, app.now());
}

/** Whether the key still works, after a wait: null, or the usual answer for one that does not. */
export async function refusalAfterWait(exchange: Exchange): Promise<PlainResponse | null> {
  const { request, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  const reply = await app.calls.serve({
    kind: "watch",
    caller: { keyHash },
    from: originOf(exchange),
    isCharged: true,
  });
  return reply.kind === "admitted" ? null : toResponse(reply);
}
