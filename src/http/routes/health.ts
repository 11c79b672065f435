import { AppError } from "../../domain/error.ts";
import type { Health, Readiness } from "../../wire/service.ts";
import type { Exchange } from "../exchange.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";

/** GET /healthz: the process answers (docs/contract.md 12.1). */
export function healthz(): PlainResponse {
  return jsonResponse<Health>(200, { status: "ok" });
}

/**
 * GET /readyz. Not ready from the first moment of a stop, so that a load balancer leaves before it. Stays ready on a full
 * disk: cached results are still served.
 */
export function readyz({ app }: Exchange): PlainResponse {
  if (app.phase() !== "serving") throw new AppError("unavailable", `The service is ${app.phase()}`);
  const problem = app.diskProblem();
  return jsonResponse<Readiness>(200, problem === null ? { status: "ok" } : { status: "ok", problems: [problem] });
}

/** GET /openapi.json. The document is loaded on the first request. */
export async function openapi({ app }: Exchange): Promise<PlainResponse> {
  const { openapiDocument } = await import("../openapi.ts");
  return jsonResponse<object>(200, openapiDocument(app.dashboard.version));
}

/** GET /metrics, in the text format of Prometheus. */
export function metrics({ app }: Exchange): PlainResponse {
  const headers = { "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store" };
  return { status: 200, headers, body: app.metrics.render() };
}
