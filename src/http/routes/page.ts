import { AppError } from "../../domain/error.ts";
import { fileResponse } from "../dashboard-files.ts";
import type { Exchange } from "../exchange.ts";
import type { PlainResponse } from "../response.ts";

/** GET /: the dashboard. */
export function index({ request, app }: Exchange): PlainResponse {
  return fileResponse(app.dashboard.page().index, "index", request.headers.get("Accept-Encoding"));
}

/** GET /assets/{name} */
export function asset({ request, parameters, app }: Exchange): PlainResponse {
  const file = app.dashboard.page().assets.get(parameters["name"] ?? "");
  if (file === undefined) throw new AppError("not_found", "There is no such path");
  return fileResponse(file, "asset", request.headers.get("Accept-Encoding"));
}
