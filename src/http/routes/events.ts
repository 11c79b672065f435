import { auditEvent } from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import { watchEventTypes } from "../../domain/watch-event.ts";
import type { EventList } from "../../wire/event.ts";
import { discardBody } from "../body.ts";
import { type Exchange, originOf } from "../exchange.ts";
import { queryOf } from "../query.ts";
import { jsonResponse, type PlainResponse, storedResponse } from "../response.ts";
import { forWatcher, refusalAfterWait, type WatchCaller } from "./admit-watch.ts";
import { waitPreference } from "./enrich.ts";

const defaultLimit = 100;
/** docs/pipeline.md 20.5. */
const maxLimit = 1000;

/** GET /api/v1/soc/events */
export function readEvents(exchange: Exchange): Promise<PlainResponse> {
  return forWatcher(exchange, async (caller) => {
    const { request, app } = exchange;
    await discardBody(request);
    const question = questionIn(queryOf(request));
    const { readEventList } = await import("../../watch/event-list.ts");
    const { store, keys, eventBell: bell, steadyNow } = app;
    const tools = { store, keys, bell, steadyNow, signal: request.signal };
    const ask = (waitMs: number) => readEventList(caller.workspace.id, { ...question, waitMs }, tools);
    await noteRead(exchange, caller);
    const waitSeconds = waitPreference(request.headers.get("Prefer"));
    const first = await ask(0);
    const leave = waitSeconds === null || first.events.length > 0 ? null : app.waits.take(caller.key.keyId);
    if (waitSeconds === null || leave === null) return respond(request, first);
    const waited = await ask(waitSeconds * 1000).finally(leave);
    const refusal = await refusalAfterWait(exchange);
    if (refusal !== null) return refusal;
    const response = respond(request, waited);
    response.headers["Preference-Applied"] = "wait";
    return response;
  });
}

function questionIn(query: URLSearchParams) {
  const text = query.get("limit");
  const limit = text === null ? defaultLimit : /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > maxLimit) {
    throw new AppError("invalid_request", `The limit must be a whole number from 1 to ${maxLimit}`);
  }
  const types = query.get("type")?.split(",") ?? null;
  if (types?.some((type) => !watchEventTypes.some((known) => known === type)) === true) {
    throw new AppError("invalid_request", `The type must be one of ${watchEventTypes.join(", ")}`);
  }
  return { after: query.get("after"), limit, types };
}

/** The audit trail tells once an hour that a key reads events. */
async function noteRead(exchange: Exchange, { workspace, key }: WatchCaller): Promise<void> {
  const { app } = exchange;
  const by = { at: app.now(), actor: `key:${key.keyId}`, outcome: "200", ...originOf(exchange) };
  const { keyId, keyName } = key;
  await app.store.noteEventRead(keyId, auditEvent(by, "events.read", { workspaceId: workspace.id, keyId, keyName }));
}

const linesType = "application/x-ndjson";

/** JSON, or one event a line for a reader that asks for it; `next` is then in a header only. */
function respond(request: Request, list: EventList): PlainResponse {
  const accepted = (request.headers.get("Accept") ?? "")
    .split(",")
    .map((one) => one.split(";", 1)[0]?.trim().toLowerCase());
  if (!accepted.includes(linesType)) return jsonResponse<EventList>(200, list);
  const lines = list.events.map((event) => `${JSON.stringify(event)}\n`).join("");
  return storedResponse(200, lines, { "Content-Type": linesType, "X-Xpose-Next": list.next });
}
