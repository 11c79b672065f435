import { AppError } from "../domain/error.ts";
import type { Operator } from "../domain/operator.ts";
import { isLoopbackClient, isLoopbackHost, isOwnHost, isSameOrigin } from "./caller.ts";
import { authenticate } from "./credentials.ts";
import { type Exchange, originOf } from "./exchange.ts";

/**
 * The credentials that a route requires:
 * - `anyone`: none
 * - `key`: an API key. The handler passes it on, and the transaction that serves the call checks it
 *   (store.handleCalls). A test asks every such route with every kind of bad key (test/http/tenancy.test.ts).
 * - `page`: none, but `Host` must be one of our names
 * - `log-in`: like `page`, and the request must not come from a page of another origin
 * - `viewer`: an operator of any role
 * - `admin`: an operator of role admin
 * - `metrics`: a client on this machine that asks for a loopback name, or an operator
 *
 * When the path names a workspace, the operator must belong to it.
 */
export type Access = "anyone" | "key" | "page" | "log-in" | "metrics" | OperatorAccess;
export type OperatorAccess = "viewer" | "admin";

/**
 * Checks the access to a route (docs/contract.md 2, 9.1). Throws `forbidden` for a foreign `Host`, then `unauthorized`
 * without an operator, then `forbidden` for missing rights. Returns the operator; null when the route requires none.
 */
export async function guard(exchange: Exchange, access: Access): Promise<Operator | null> {
  const { request, peer, app } = exchange;
  const { headers } = request;
  if (access === "anyone" || access === "key") return null;
  const host = headers.get("Host");
  // A foreign page in a browser on this machine comes from loopback too, but under its own name (DNS rebinding).
  const isLocal = isLoopbackClient(headers, peer, app.trust) && isLoopbackHost(host);
  if (access === "metrics" && isLocal) return null;
  if (access !== "metrics" && !isOwnHost(host, app.trust))
    throw forbidden("This host name is not one that xpose answers to here");
  if (access === "page") return null;
  if (access === "log-in") {
    const origin = headers.get("Origin");
    if (origin !== null && !isSameOrigin(origin, host)) throw foreignOrigin();
    return null;
  }
  const who = await authenticate(headers, app.store, app.keys, app.now());
  if (who === null) {
    app.trail.denied(originOf(exchange), "401", "unknown");
    throw unauthorized();
  }
  const { operator, isSession } = who;
  const refusal = refusalOf(exchange, access, operator, isSession);
  if (refusal === null) return operator;
  const { name, workspaceId } = operator;
  app.trail.denied(originOf(exchange), "403", { operator: name, workspaceId });
  throw refusal;
}

function refusalOf(
  { request, parameters }: Pick<Exchange, "request" | "parameters">,
  access: Access,
  operator: Operator,
  isSession: boolean,
): AppError | null {
  const isUnsafe = request.method !== "GET" && request.method !== "HEAD";
  if (isUnsafe && isSession && !isSameOrigin(request.headers.get("Origin"), request.headers.get("Host"))) {
    return foreignOrigin();
  }
  // A foreign workspace and an unknown workspace get the same answer (docs/contract.md 9.1).
  const named = parameters["workspace_id"];
  const isForeign = named !== undefined && named !== operator.workspaceId;
  if (isForeign || (access === "admin" && operator.role !== "admin")) {
    return forbidden(
      access === "admin"
        ? "Only an admin of this workspace may do this"
        : "Only an operator of this workspace may do this",
    );
  }
  return null;
}

export function unauthorized(): AppError {
  return new AppError("unauthorized", "Missing or unrecognised operator token or session");
}

function foreignOrigin(): AppError {
  return forbidden("The request comes from a page of another origin");
}

function forbidden(message: string): AppError {
  return new AppError("forbidden", message);
}
