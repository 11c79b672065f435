import { AppError } from "../../domain/error.ts";
import type { Exchange } from "../exchange.ts";
import { fileResponse } from "../page.ts";

/** GET /: the dashboard. */
export function index({ request, app }: Exchange): Response {
  return fileResponse(app.dashboard.page().index, "index", request.headers.get("Accept-Encoding"));
}

/** GET /assets/{name} */
export function asset({ request, parameters, app }: Exchange): Response {
  const file = app.dashboard.page().assets.get(parameters["name"] ?? "");
  if (file === undefined) throw new AppError("not_found", "There is no such path");
  return fileResponse(file, "asset", request.headers.get("Accept-Encoding"));
}
