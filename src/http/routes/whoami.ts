import { rateLimited } from "../../domain/admission.ts";
import type { BudgetLeft } from "../../domain/budget.ts";
import type { Reply } from "../../domain/call.ts";
import { isPaused } from "../../domain/pace.ts";
import { compareText } from "../../domain/text.ts";
import { timestamp } from "../../domain/time.ts";
import type { Workspace } from "../../domain/workspace.ts";
import type { AskedSource, BudgetLeftBody, Whoami } from "../../wire/whoami.ts";
import { discardBody } from "../body.ts";
import { apiKeyHash } from "../credentials.ts";
import { errorResponse } from "../errors.ts";
import { type Application, type Exchange, originOf } from "../exchange.ts";
import { toResponse } from "../reply-response.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";
import { refuseKey } from "./enrich.ts";

/** GET /api/v1/soc/whoami: the "test connection" of a client. It charges no budget and is not a poll. */
export async function whoami(exchange: Exchange): Promise<PlainResponse> {
  const { request, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  await discardBody(request);
  const reply = await app.calls.serve({ kind: "whoami", caller: { keyHash }, from: originOf(exchange) });
  if (reply.kind !== "whoami") return toResponse(reply);
  // Counted for the key and not for its hash, so only once it is known to be one.
  const waitSeconds = app.whoamis.take(reply.keyId);
  if (waitSeconds !== null) return errorResponse(rateLimited(), { "Retry-After": String(waitSeconds) });
  return jsonResponse<Whoami>(200, await bodyOf(reply, app));
}

async function bodyOf({ workspace, keyId, budgets }: Extract<Reply, { kind: "whoami" }>, app: Application) {
  const key = await app.store.findKey(workspace.id, keyId);
  if (key === null) throw new Error("a key that was just admitted is missing");
  const now = app.now();
  const { id, name, plan } = workspace;
  return {
    workspace: { id, name, plan },
    key: {
      id: key.id,
      name: key.name,
      prefix: key.prefix,
      expires_at: key.expiresAt === null ? null : timestamp(key.expiresAt),
      scopes: key.scopes,
    },
    limits: { requests: limitBody(budgets.request, now), polls: limitBody(budgets.poll, now) },
    sources: await askedSources(workspace, app, now),
    version: app.dashboard.version,
  } satisfies Whoami;
}

function limitBody(left: BudgetLeft | null, now: Date): BudgetLeftBody {
  if (left === null) return { limit: 0, remaining: null, reset_at: null };
  const { limit, remaining, resetInMs } = left;
  return { limit, remaining, reset_at: resetInMs === null ? null : timestamp(nextSecond(now, resetInMs)) };
}

/** As `X-RateLimit-Reset` has it: never before the window is over. */
function nextSecond(now: Date, inMs: number): Date {
  return new Date(Math.ceil((now.getTime() + inMs) / 1000) * 1000);
}

async function askedSources(
  workspace: Pick<Workspace, "id" | "name">,
  { store, dashboard }: Application,
  now: Date,
): Promise<AskedSource[]> {
  const [corpora, turns] = await Promise.all([store.listCorpora(), store.listTurns()]);
  return dashboard
    .live()
    .sourcesOf(workspace, corpora)
    .map(({ name, kind, isOutside, isAllowed, pace }): AskedSource => {
      const isWaiting = isPaused(turns.get(name) ?? null, pace, now);
      return {
        source: name,
        kind,
        outside: isOutside,
        state: isAllowed ? (isWaiting ? "paused" : "ready") : "offline",
      };
    })
    .sort((one, other) => compareText(one.source, other.source));
}
