import type { Route } from "./router.ts";
import { enrich, evidence, poll, sources } from "./routes/enrich.ts";
import { healthz, readyz } from "./routes/health.ts";

/** Every route. A path segment in braces is one non-empty segment of any text; its route checks the form. */
export const routes: readonly Route[] = [
  { method: "POST", path: "/api/v1/soc/enrich", handle: enrich },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}", handle: poll },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}/sources", handle: sources },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}/evidence", handle: evidence },
  { method: "GET", path: "/healthz", handle: healthz, isAlwaysOn: true },
  { method: "GET", path: "/readyz", handle: readyz, isAlwaysOn: true },
];
