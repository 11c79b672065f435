import type { Author } from "../../domain/audit.ts";
import { parseLabel, parseWatchChange } from "../../domain/watch.ts";
import type { WatchAdded, WatchList, WatchRemoved } from "../../wire/watch.ts";
import { discardBody, readJson } from "../body.ts";
import { type Exchange, originOf } from "../exchange.ts";
import { parsePage, queryOf } from "../query.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";
import { forWatcher, type WatchCaller } from "./admit-watch.ts";

/** A thousand addresses of the longest form. */
const maxBodyBytes = 512 * 1024;

/** POST /api/v1/soc/watch */
export function addWatched(exchange: Exchange): Promise<PlainResponse> {
  return forWatcher(exchange, async (caller) => {
    const { request, app } = exchange;
    const change = parseWatchChange(await readJson(request, maxBodyBytes));
    const { addToWatchList } = await import("../../watch/watch-list.ts");
    const { max } = app.dashboard.live().watch;
    const tools = { ...app, author: authorOf(exchange, caller), key: caller.key };
    const body = await addToWatchList(caller.workspace.id, change, max, tools);
    if (body.added > 0) app.onWatched();
    return jsonResponse<WatchAdded>(200, body);
  });
}

/** POST /api/v1/soc/watch/remove */
export function removeWatched(exchange: Exchange): Promise<PlainResponse> {
  return forWatcher(exchange, async (caller) => {
    const { request, app } = exchange;
    const change = parseWatchChange(await readJson(request, maxBodyBytes));
    const { removeFromWatchList } = await import("../../watch/watch-list.ts");
    const tools = { ...app, author: authorOf(exchange, caller), key: caller.key };
    return jsonResponse<WatchRemoved>(200, await removeFromWatchList(caller.workspace.id, change, tools));
  });
}

/** GET /api/v1/soc/watch */
export function listWatched(exchange: Exchange): Promise<PlainResponse> {
  return forWatcher(exchange, async ({ workspace }) => {
    const { request, app } = exchange;
    await discardBody(request);
    const query = queryOf(request);
    const page = { ...parsePage(query), label: parseLabel(query.get("label")) };
    const { listWatchList } = await import("../../watch/watch-list.ts");
    return jsonResponse<WatchList>(200, await listWatchList(workspace.id, page, app));
  });
}

function authorOf(exchange: Exchange, { key }: WatchCaller): Author {
  return { at: exchange.app.now(), actor: `key:${key.keyId}`, outcome: "200", ...originOf(exchange) };
}
