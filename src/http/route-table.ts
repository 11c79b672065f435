import type { Route } from "./router.ts";
import { listEvents } from "./routes/audit.ts";
import { pollBulk, startBulk } from "./routes/bulk.ts";
import { ticketCase } from "./routes/case.ts";
import { changes } from "./routes/changes.ts";
import { about, budgets, corpora, me, overview, sources as sourceStates } from "./routes/dashboard.ts";
import { lookUp, lookUpEvidence, lookUpResult, lookUpSources } from "./routes/dashboard-enrich.ts";
import { enrich, evidence, lookUpByQuery, poll, sources } from "./routes/enrich.ts";
import { readEvents } from "./routes/events.ts";
import { exportScan } from "./routes/export.ts";
import { healthz, metrics, openapi, readyz } from "./routes/health.ts";
import { history } from "./routes/history.ts";
import { listKeys, mintKey, revoke, rotate } from "./routes/keys.ts";
import { asset, index } from "./routes/page.ts";
import { logIn, logOut } from "./routes/session.ts";
import { addWatched, listWatched, removeWatched } from "./routes/watch.ts";
import { whoami } from "./routes/whoami.ts";

const dashboard = "/api/v1/dashboard";
const workspace = "/api/v1/workspaces/{workspace_id}";

/** All routes. A segment in braces matches one non-empty segment of any text; the handler checks its form. */
export const routes: readonly Route[] = [
  { method: "POST", path: "/api/v1/soc/enrich", access: "key", handle: enrich },
  // Off by default: the address is in the URL, and proxies log URLs.
  {
    method: "GET",
    path: "/api/v1/soc/enrich",
    access: "key",
    handle: lookUpByQuery,
    isOffered: ({ hasGetLookUp }) => hasGetLookUp,
  },
  // Before the paths with a request_id, which is no word.
  { method: "POST", path: "/api/v1/soc/enrich/bulk", access: "key", handle: startBulk },
  { method: "GET", path: "/api/v1/soc/enrich/bulk/{bulk_id}", access: "key", handle: pollBulk },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}", access: "key", handle: poll },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}/sources", access: "key", handle: sources },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}/evidence", access: "key", handle: evidence },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}/case", access: "key", handle: ticketCase },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}/export", access: "key", handle: exportScan },
  { method: "GET", path: "/api/v1/soc/enrich/{request_id}/changes", access: "key", handle: changes },
  { method: "POST", path: "/api/v1/soc/history", access: "key", handle: history },
  { method: "GET", path: "/api/v1/soc/whoami", access: "key", handle: whoami },
  { method: "POST", path: "/api/v1/soc/watch", access: "key", handle: addWatched },
  { method: "GET", path: "/api/v1/soc/watch", access: "key", handle: listWatched },
  { method: "POST", path: "/api/v1/soc/watch/remove", access: "key", handle: removeWatched },
  { method: "GET", path: "/api/v1/soc/events", access: "key", handle: readEvents },
  { method: "POST", path: `${workspace}/keys`, access: "admin", handle: mintKey },
  { method: "GET", path: `${workspace}/keys`, access: "admin", handle: listKeys },
  { method: "POST", path: `${workspace}/keys/{key_id}/rotate`, access: "admin", handle: rotate },
  { method: "DELETE", path: `${workspace}/keys/{key_id}`, access: "admin", handle: revoke },
  { method: "GET", path: `${workspace}/audit`, access: "viewer", handle: listEvents },
  { method: "POST", path: "/api/v1/session", access: "log-in", handle: logIn },
  { method: "DELETE", path: "/api/v1/session", access: "viewer", handle: logOut },
  { method: "GET", path: "/", access: "page", handle: index },
  { method: "GET", path: "/assets/{name}", access: "page", handle: asset },
  { method: "GET", path: `${dashboard}/about`, access: "page", handle: about },
  { method: "GET", path: `${dashboard}/me`, access: "viewer", handle: me },
  { method: "GET", path: `${dashboard}/overview`, access: "viewer", handle: overview },
  { method: "GET", path: `${dashboard}/sources`, access: "viewer", handle: sourceStates },
  { method: "GET", path: `${dashboard}/corpora`, access: "viewer", handle: corpora },
  { method: "GET", path: `${dashboard}/budgets`, access: "admin", handle: budgets },
  { method: "POST", path: `${dashboard}/enrich`, access: "viewer", handle: lookUp },
  { method: "GET", path: `${dashboard}/enrich/{request_id}`, access: "viewer", handle: lookUpResult },
  { method: "GET", path: `${dashboard}/enrich/{request_id}/sources`, access: "viewer", handle: lookUpSources },
  { method: "GET", path: `${dashboard}/enrich/{request_id}/evidence`, access: "viewer", handle: lookUpEvidence },
  { method: "GET", path: "/healthz", access: "anyone", handle: healthz, isAlwaysOn: true },
  // Some load balancers check health with OPTIONS, by default on the root path.
  { method: "OPTIONS", path: "/healthz", access: "anyone", handle: healthz, isAlwaysOn: true },
  { method: "OPTIONS", path: "/", access: "anyone", handle: healthz, isAlwaysOn: true },
  { method: "GET", path: "/readyz", access: "anyone", handle: readyz, isAlwaysOn: true },
  { method: "GET", path: "/openapi.json", access: "anyone", handle: openapi, isAlwaysOn: true },
  { method: "GET", path: "/metrics", access: "metrics", handle: metrics },
];
