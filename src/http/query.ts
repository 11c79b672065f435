import { AppError } from "../domain/error.ts";

/** The query parameters of a request. */
export function queryOf(request: Request): URLSearchParams {
  return new URLSearchParams(queryText(request));
}

/** The same, with a `+` read as it is and not as a blank. */
export function queryKeepingPlus(request: Request): URLSearchParams {
  return new URLSearchParams(queryText(request).replaceAll("+", "%2B"));
}

export function hasQuery(request: Request): boolean {
  return request.url.includes("?");
}

function queryText(request: Request): string {
  const start = request.url.indexOf("?");
  return start === -1 ? "" : (request.url.slice(start + 1).split("#", 1)[0] ?? "");
}

const defaultLimit = 100;
const maxLimit = 200;

/** Reads `limit` and `cursor` (docs/contract.md 9.4). Throws `invalid_request`; the store checks the cursor. */
export function parsePage(query: URLSearchParams): { limit: number; cursor: string | null } {
  const text = query.get("limit");
  const limit = text === null ? defaultLimit : /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > maxLimit) {
    throw new AppError("invalid_request", `The limit must be a whole number from 1 to ${maxLimit}`);
  }
  return { limit, cursor: query.get("cursor") };
}
