import { AppError } from "../domain/error.ts";
import { discardBody } from "./body.ts";
import type { Peer } from "./caller.ts";
import { errorResponse } from "./errors.ts";
import type { Application, Exchange, OperatorExchange } from "./exchange.ts";
import { type Access, guard, type OperatorAccess } from "./guard.ts";
import { makeResponse, type PlainResponse } from "./response.ts";

export type Route = OpenRoute | OperatorRoute;

type RouteRow = {
  readonly method: "GET" | "POST" | "DELETE" | "OPTIONS";
  readonly path: string;
  /** True for a route that also answers while the service starts. */
  readonly isAlwaysOn?: boolean;
  /** False for a route that the configuration leaves out: the path then does not answer to this method. */
  readonly isOffered?: (app: Application) => boolean;
};
type OpenRoute = RouteRow & {
  readonly access: Exclude<Access, OperatorAccess>;
  readonly handle: (exchange: Exchange) => PlainResponse | Promise<PlainResponse>;
};
type OperatorRoute = RouteRow & {
  readonly access: OperatorAccess;
  readonly handle: (exchange: OperatorExchange) => Promise<PlainResponse>;
};

type Match = { readonly rows: readonly Route[]; readonly parameters: Record<string, string> };

/** A browser that was here once over TLS comes back by TLS only, for a year (RFC 6797). */
const strictTransport = "max-age=31536000";

const correlationForm = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Answers requests with the route table. An unknown path is 404 and a wrong method 405, before credentials are checked
 * (docs/contract.md 2). An `AppError` of a handler becomes its error body. Any other error is logged and answered with
 * `internal_error`, without details.
 */
export function createRouter(
  routes: readonly Route[],
  app: Application,
): (request: Request, peer: Peer) => Promise<Response> {
  const offered = routes.filter(({ isOffered }) => isOffered?.(app) ?? true);
  const table = Map.groupBy(offered, (route) => route.path);
  const fixed = new Map<string, Match>();
  const patterns: { segments: string[]; rows: readonly Route[] }[] = [];
  for (const [path, rows] of table) {
    if (path.includes("{")) patterns.push({ segments: path.split("/"), rows });
    else fixed.set(path, { rows, parameters: {} });
  }

  function match(path: string): Match | null {
    const known = fixed.get(path);
    if (known !== undefined) return known;
    const segments = path.split("/");
    for (const { segments: pattern, rows } of patterns) {
      const parameters = matchSegments(pattern, segments);
      if (parameters !== null) return { rows, parameters };
    }
    return null;
  }

  return async function respond(request, peer) {
    const startedAt = app.steadyNow();
    const { method } = request;
    const given = request.headers.get("X-Correlation-Id");
    const correlationId = given !== null && correlationForm.test(given) ? given : app.newId();
    const found = match(rawPath(request.url));
    let response: PlainResponse;
    try {
      response = await answer(request, peer, correlationId, found, app);
    } catch (error) {
      response = toErrorResponse(error, correlationId, app);
    }
    response.headers["X-Correlation-Id"] = correlationId;
    if (peer.isTls) response.headers["Strict-Transport-Security"] = strictTransport;
    if (peer.listener?.isClosing() === true) response.headers["Connection"] = "close";
    const path = found?.rows[0]?.path ?? null;
    const durationMs = app.steadyNow() - startedAt;
    app.metrics.countRequest(method, path, response.status, durationMs);
    app.accessLog.write({ method, path, status: response.status, durationMs, correlationId });
    return makeResponse(response, method);
  };
}

/** Not async: returns the promise of the handler itself, because every extra promise makes a hit slower. */
function answer(
  request: Request,
  peer: Peer,
  correlationId: string,
  found: Match | null,
  app: Application,
): PlainResponse | Promise<PlainResponse> {
  if (found === null) return refuse(request, new AppError("not_found", "There is no such path"));
  const method = request.method === "HEAD" ? "GET" : request.method;
  const route = found.rows.find((row) => row.method === method);
  if (route === undefined) {
    const error = new AppError("method_not_allowed", "This path does not answer to this method");
    return refuse(request, error, { Allow: allowedMethods(found.rows) });
  }
  if (app.phase() === "starting" && route.isAlwaysOn !== true) {
    return refuse(request, new AppError("unavailable", "The service is starting"));
  }
  const exchange: Exchange = { request, peer, correlationId, parameters: found.parameters, app };
  if (route.access === "anyone" || route.access === "key") return route.handle(exchange);
  return answerGuarded(exchange, route);
}

async function refuse(request: Request, error: AppError, headers: Readonly<Record<string, string>> = {}) {
  await discardBody(request);
  return errorResponse(error, headers);
}

async function answerGuarded(exchange: Exchange, route: Route): Promise<PlainResponse> {
  const operator = await guard(exchange, route.access).catch(async (error: unknown) => {
    await discardBody(exchange.request);
    throw error;
  });
  if (!isForOperators(route)) return await route.handle(exchange);
  if (operator === null) throw new Error("a route for operators was reached without one");
  return await route.handle({ ...exchange, operator });
}

function isForOperators(route: Route): route is OperatorRoute {
  return route.access === "viewer" || route.access === "admin";
}

function toErrorResponse(error: unknown, correlationId: string, app: Application): PlainResponse {
  if (error instanceof AppError) {
    if (error.cause !== undefined && error.code !== "malformed_json") {
      app.log.error({ correlation_id: correlationId, code: error.code, err: error.cause }, "request failed");
    }
    return errorResponse(error);
  }
  app.log.error({ correlation_id: correlationId, err: error }, "request failed unexpectedly");
  return errorResponse(new AppError("internal_error", "The request could not be served"));
}

function allowedMethods(rows: readonly Route[]): string {
  const methods = new Set<string>(rows.map((row) => row.method));
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods].sort().join(", ");
}

/**
 * The path without the query. It is not decoded, so an encoded slash does not split a segment. The URL is a bare path
 * when the request has no usable host, for example in the HTTP/1.0 checks of load balancers.
 */
function rawPath(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (start === -1) return "/";
  const [query, fragment] = [url.indexOf("?", start), url.indexOf("#", start)];
  const end = Math.min(query === -1 ? url.length : query, fragment === -1 ? url.length : fragment);
  return url.slice(start, end);
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const parameters: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? "";
    if (!expected.startsWith("{")) {
      if (segment !== expected) return null;
    } else if (segment === "") return null;
    else parameters[expected.slice(1, -1)] = segment;
  }
  return parameters;
}
