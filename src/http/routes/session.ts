import { endSession, findByToken, sessionLifetimeMs, startSession } from "../../access/operator.ts";
import { AppError } from "../../domain/error.ts";
import { customerOf } from "../../domain/ip-address.ts";
import { discardBody, readJson } from "../body.ts";
import { isForwardedByStranger, isSecure } from "../caller.ts";
import { sessionSecret } from "../credentials.ts";
import { errorResponse } from "../errors.ts";
import { authorOf, type Exchange, type OperatorExchange, originOf } from "../exchange.ts";
import { unauthorized } from "../guard.ts";
import type { PlainResponse } from "../response.ts";

const maxBodyBytes = 4096;

/** POST /api/v1/session. Unknown, wrong, empty and non-string tokens take the same time and get the same answer. */
export async function logIn(exchange: Exchange): Promise<PlainResponse> {
  const { request, app } = exchange;
  const from = originOf(exchange);
  const waitSeconds = app.logIns.take(from.ip === null ? "local" : customerOf(from.ip));
  // Behind a proxy that nobody declared all clients have one address. A good token passes then, or a stranger could keep
  // every admin out. A bad token gets the same 429, and tokens are too random to be guessed.
  const mayPass = waitSeconds === null || isForwardedByStranger(request.headers, exchange.peer, app.trust);
  if (!mayPass) {
    await discardBody(request);
    return tooMany(waitSeconds);
  }
  const { logInRequest } = await import("../../wire/session.ts");
  const parsed = logInRequest.safeParse(await readJson(request, maxBodyBytes));
  if (!parsed.success) throw new AppError("invalid_request", "The body must be an object with a token");
  const { keys, store } = app;
  const operator = await findByToken(parsed.data.token, store, keys, app.now());
  if (operator === null && waitSeconds !== null) return tooMany(waitSeconds);
  if (operator === null) {
    app.trail.denied(from, "401", "unknown");
    throw unauthorized();
  }
  const by = authorOf({ ...exchange, operator }, 204);
  const secret = await startSession(operator, store, keys, app.randomBytes, by);
  return cookieResponse(exchange, secret, sessionLifetimeMs / 1000);
}

function tooMany(waitSeconds: number): PlainResponse {
  const error = new AppError("rate_limited", "Too many log-ins from this address");
  return errorResponse(error, { "Retry-After": String(waitSeconds) });
}

/** DELETE /api/v1/session */
export async function logOut(exchange: OperatorExchange): Promise<PlainResponse> {
  const { request, app } = exchange;
  await discardBody(request);
  const secret = sessionSecret(request.headers);
  const isEnded = secret !== null && (await endSession(secret, app.store, app.keys, authorOf(exchange, 204)));
  // The caller used a token instead of a session, or logged out twice at once.
  if (!isEnded) throw unauthorized();
  return cookieResponse(exchange, "", 0);
}

function cookieResponse({ request, peer, app }: Exchange, secret: string, maxAgeSeconds: number): PlainResponse {
  const secure = isSecure(request.headers, peer, app.trust) ? "; Secure" : "";
  const cookie = `xpose_session=${secret}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`;
  return { status: 204, headers: { "Set-Cookie": cookie, "Cache-Control": "no-store" }, body: null };
}
