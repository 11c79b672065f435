import { AppError } from "../../domain/error.ts";
import type { Health, Readiness } from "../../wire/service.ts";
import type { Exchange } from "../exchange.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";

/** The process answers (docs/contract.md 12.1). */
export function healthz(): PlainResponse {
  return jsonResponse<Health>(200, { status: "ok" });
}

/** The service takes requests; on a full disk it still answers with what is cached, so a balancer must not turn away. */
export function readyz({ app }: Exchange): PlainResponse {
  if (!app.isReady()) throw new AppError("unavailable", "The service is starting or stopping");
  const problem = app.diskProblem();
  return jsonResponse<Readiness>(200, problem === null ? { status: "ok" } : { status: "ok", problems: [problem] });
}

/** GET /openapi.json; the document is loaded when somebody asks for it. */
export async function openapi({ app }: Exchange): Promise<PlainResponse> {
  const { openapiDocument } = await import("../openapi.ts");
  return jsonResponse<object>(200, openapiDocument(app.dashboard.version));
}

/** GET /metrics, in the text form of Prometheus. */
export function metrics({ app }: Exchange): PlainResponse {
  const headers = { "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store" };
  return { status: 200, headers, body: app.metrics.render() };
}
