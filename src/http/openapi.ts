import type * as z from "zod/mini";
import { onPendings } from "../domain/on-pending.ts";
import { auditEvent, auditList } from "../wire/audit.ts";
import { bulk, bulkRequest, bulkResult } from "../wire/bulk.ts";
import { completedCase, failedCase } from "../wire/case.ts";
import { changes } from "../wire/changes.ts";
import { envelope } from "../wire/envelope.ts";
import { errorBody } from "../wire/error.ts";
import { eventList, watchEventType } from "../wire/event.ts";
import { exportFormat, tlp } from "../wire/export.ts";
import { atom, evidence, evidenceFinding } from "../wire/finding.ts";
import { flat } from "../wire/flat.ts";
import { history, historyRequest } from "../wire/history.ts";
import { indicator } from "../wire/indicator.ts";
import { key, keyList, keyStatus, mintedKey, mintRequest } from "../wire/key.ts";
import { accepted, enrichRequest, progress, scanSources, sourceRun } from "../wire/scan.ts";
import { health, readiness } from "../wire/service.ts";
import { logInRequest } from "../wire/session.ts";
import { watchAdded, watchList, watchRemoved, watchRequest } from "../wire/watch.ts";
import { whoami } from "../wire/whoami.ts";
import { jsonSchemas } from "./json-schema.ts";
import { views } from "./wish.ts";

type Json = Readonly<Record<string, unknown>>;

/** The bodies of the published API, by their names in the document. */
const bodies = {
  Error: errorBody,
  Indicator: indicator,
  EnrichRequest: enrichRequest,
  Accepted: accepted,
  Progress: progress,
  BulkRequest: bulkRequest,
  BulkResult: bulkResult,
  Bulk: bulk,
  Atom: atom,
  Envelope: envelope,
  SourceRun: sourceRun,
  ScanSources: scanSources,
  Finding: evidenceFinding,
  Evidence: evidence,
  CompletedCase: completedCase,
  FailedCase: failedCase,
  Flat: flat,
  Changes: changes,
  HistoryRequest: historyRequest,
  History: history,
  Whoami: whoami,
  WatchRequest: watchRequest,
  WatchAdded: watchAdded,
  WatchRemoved: watchRemoved,
  WatchList: watchList,
  WatchEventType: watchEventType,
  EventList: eventList,
  MintRequest: mintRequest,
  Key: key,
  MintedKey: mintedKey,
  KeyList: keyList,
  AuditEvent: auditEvent,
  AuditList: auditList,
  LogInRequest: logInRequest,
  Health: health,
  Readiness: readiness,
} as const satisfies Record<string, z.ZodMiniType>;

type BodyName = keyof typeof bodies;

/** Made once, because it takes milliseconds and the document is public. */
const schemas = jsonSchemas(bodies, placeOf);

const text = { type: "string" } as const;
const uuid = { type: "string", format: "uuid" } as const;

function placeOf(name: string): string {
  return `#/components/schemas/${name}`;
}

function ref(name: BodyName): Json {
  return { $ref: placeOf(name) };
}

/** A response with one of these bodies, or without a body. */
function answer(description: string, ...names: readonly BodyName[]): Json {
  const [first, ...others] = names;
  if (first === undefined) return { description };
  const schema = others.length === 0 ? ref(first) : { oneOf: names.map(ref) };
  return { description, content: { "application/json": { schema } } };
}

function body(name: BodyName): Json {
  return { required: true, content: { "application/json": { schema: ref(name) } } };
}

/** Responses by status. All statuses of 400 and above have the body of errors. */
function answers(good: Json, faults: readonly number[]): Json {
  const bad = faults.map((status) => [status, answer("an error; see its code", "Error")]);
  return { ...good, ...Object.fromEntries(bad) };
}

const inPath = (name: string): Json => ({ name, in: "path", required: true, schema: uuid });
const inQuery = (name: string, schema: Json): Json => ({ name, in: "query", required: false, schema });
const waitHeader: Json = {
  name: "Prefer",
  in: "header",
  required: false,
  description: "wait=N waits up to N seconds, at most 50, for the end of the scan",
  schema: text,
  example: "wait=10",
};
const viewQuery = inQuery("view", { enum: views, default: "envelope" });
const onPendingQuery: Json = {
  ...inQuery("on_pending", { enum: onPendings }),
  description:
    "the status while the scan has no result; 503 is for clients that take every 2xx for the answer: a failed scan is then 502",
};
const pageQuery = [
  inQuery("limit", { type: "integer", minimum: 1, maximum: 200, default: 100 }),
  inQuery("cursor", text),
];

/** A body of each media type of an export; JSON also tells how far the scan is. */
const exportAnswer: Json = {
  description: "the file, or how far the scan is",
  content: {
    "application/stix+json;version=2.1": { schema: { type: "object" } },
    "application/json": { schema: { oneOf: [ref("Progress"), { type: "object" }, { type: "array" }] } },
    "application/x-ndjson": { schema: text },
    "text/csv": { schema: text },
    "text/markdown": { schema: text },
  },
};

const resultAnswer = answer(
  "a result in the wanted view, or the state of the scan",
  "Envelope",
  "Flat",
  "CompletedCase",
  "FailedCase",
  "Progress",
);
const lookUpAnswers: Json = {
  200: resultAnswer,
  202: answer("a scan was started or joined; poll poll_url", "Accepted", "Flat"),
};
const pendingAnswer = answer("the state of the scan, with on_pending=202", "Progress", "Flat");

const byKey = [{ apiKey: [] }];
const byOperator = [{ operatorToken: [] }, { session: [] }];

const pollFaults = [401, 403, 404, 429, 503];
const manageFaults = [401, 403, 503];

const enrichPath = "/api/v1/soc/enrich";
const keysPath = "/api/v1/workspaces/{workspace_id}/keys";

/** By path and method, in the order of the route table. */
const paths: Readonly<Record<string, Json>> = {
  [enrichPath]: {
    post: {
      summary: "What does the internet expose about this indicator?",
      security: byKey,
      parameters: [waitHeader, viewQuery, onPendingQuery],
      requestBody: body("EnrichRequest"),
      responses: answers(lookUpAnswers, [400, 401, 403, 404, 413, 415, 422, 429, 502, 503]),
    },
    get: {
      summary: "The same for clients that can only GET; 405 unless server.get_lookup is true",
      security: byKey,
      parameters: [
        { name: "email", in: "query", required: true, schema: text },
        inQuery("cached_only", { type: "boolean", default: false }),
        inQuery("max_age", { type: "integer", minimum: 0, maximum: 31_536_000 }),
        inQuery("tlp", text),
        waitHeader,
        viewQuery,
        onPendingQuery,
      ],
      responses: answers(lookUpAnswers, [400, 401, 403, 404, 405, 429, 502, 503]),
    },
  },
  [`${enrichPath}/bulk`]: {
    post: {
      summary: "The same about many indicators; all of them are charged and started, or none",
      security: byKey,
      parameters: [{ name: "Prefer", in: "header", required: false, schema: text, example: "wait=50" }],
      requestBody: {
        required: true,
        content: {
          "application/json": { schema: ref("BulkRequest") },
          "text/plain": { schema: text },
          "text/csv": { schema: text },
        },
      },
      responses: answers(
        {
          200: answer("nothing of the list is pending", "Bulk"),
          202: answer("scans were started or joined; ask again at poll_url", "Bulk"),
        },
        [400, 401, 403, 413, 415, 429, 503],
      ),
    },
  },
  [`${enrichPath}/bulk/{bulk_id}`]: {
    get: {
      summary: "How far a list is, and what was found",
      security: byKey,
      parameters: [
        inPath("bulk_id"),
        inQuery("format", { enum: ["json", "ndjson", "csv"], default: "json" }),
        inQuery("bom", { enum: ["0", "1"], default: "0" }),
        { name: "Prefer", in: "header", required: false, schema: text, example: "wait=50" },
      ],
      responses: answers(
        {
          200: {
            description: "the list; as NDJSON a line per row with its envelope, as CSV a row per finding",
            content: {
              "application/json": { schema: ref("Bulk") },
              "application/x-ndjson": { schema: text },
              "text/csv": { schema: text },
            },
          },
        },
        [400, ...pollFaults],
      ),
    },
  },
  [`${enrichPath}/{request_id}`]: {
    get: {
      summary: "The state of a scan, and its envelope once it is completed",
      security: byKey,
      parameters: [inPath("request_id"), waitHeader, viewQuery, onPendingQuery],
      responses: answers({ 200: resultAnswer, 202: pendingAnswer }, [400, ...pollFaults, 502]),
    },
  },
  [`${enrichPath}/{request_id}/sources`]: {
    get: {
      summary: "The result of each source in a scan",
      security: byKey,
      parameters: [inPath("request_id")],
      responses: answers({ 200: answer("one row per source, by name", "ScanSources") }, pollFaults),
    },
  },
  [`${enrichPath}/{request_id}/evidence`]: {
    get: {
      summary: "The findings of a scan with their details",
      security: byKey,
      parameters: [inPath("request_id")],
      responses: answers({ 200: answer("the evidence, or the state of the scan", "Evidence", "Progress") }, pollFaults),
    },
  },
  [`${enrichPath}/{request_id}/case`]: {
    get: {
      summary: "All that is known about a scan as one document for a ticket",
      security: byKey,
      parameters: [inPath("request_id"), onPendingQuery],
      responses: answers(
        {
          200: answer(
            "the case, of a failed scan too, or how far the scan is",
            "CompletedCase",
            "FailedCase",
            "Progress",
          ),
          202: pendingAnswer,
        },
        [400, ...pollFaults, 502],
      ),
    },
  },
  [`${enrichPath}/{request_id}/export`]: {
    get: {
      summary: "A completed scan as a file in a format of others",
      security: byKey,
      parameters: [
        inPath("request_id"),
        { name: "format", in: "query", required: true, schema: { enum: exportFormat.options } },
        inQuery("tlp", { enum: tlp.options, default: "amber" }),
        inQuery("bom", { enum: ["0", "1"], default: "0" }),
        onPendingQuery,
      ],
      responses: answers({ 200: exportAnswer, 202: pendingAnswer }, [400, ...pollFaults, 502]),
    },
  },
  [`${enrichPath}/{request_id}/changes`]: {
    get: {
      summary: "The differences between this scan and an earlier one of the same indicator",
      security: byKey,
      parameters: [inPath("request_id"), inQuery("since", uuid), onPendingQuery],
      responses: answers(
        { 200: answer("the changes, or the state of the scan", "Changes", "Progress"), 202: pendingAnswer },
        [400, ...pollFaults, 502],
      ),
    },
  },
  "/api/v1/soc/history": {
    post: {
      summary: "The finished scans of an indicator, newest first; charged as a poll",
      security: byKey,
      parameters: pageQuery,
      requestBody: body("HistoryRequest"),
      responses: answers({ 200: answer("one page", "History") }, [400, 401, 403, 413, 415, 422, 429, 503]),
    },
  },
  "/api/v1/soc/whoami": {
    get: {
      summary: "What this key may do; charges nothing, so that a client can test its connection",
      security: byKey,
      responses: answers({ 200: answer("the key, its limits and what its scans ask", "Whoami") }, [401, 403, 429, 503]),
    },
  },
  "/api/v1/soc/watch": {
    post: {
      summary: "Put addresses on the watch list of the workspace",
      security: byKey,
      requestBody: body("WatchRequest"),
      responses: answers(
        { 200: answer("what was added, what was there, what is no address", "WatchAdded") },
        [400, 401, 403, 409, 413, 415, 429, 503],
      ),
    },
    get: {
      summary: "The watch list of the workspace",
      security: byKey,
      parameters: [...pageQuery, inQuery("label", text)],
      responses: answers({ 200: answer("a page of the list", "WatchList") }, [400, 401, 403, 429, 503]),
    },
  },
  "/api/v1/soc/watch/remove": {
    post: {
      summary: "Take addresses off the watch list",
      security: byKey,
      requestBody: body("WatchRequest"),
      responses: answers({ 200: answer("how many were removed", "WatchRemoved") }, [400, 401, 403, 413, 415, 429, 503]),
    },
  },
  "/api/v1/soc/events": {
    get: {
      summary: "What checks of the watch list found, oldest first",
      security: byKey,
      parameters: [
        inQuery("after", uuid),
        inQuery("limit", { type: "integer", minimum: 1, maximum: 1000, default: 100 }),
        inQuery("type", ref("WatchEventType")),
        { name: "Prefer", in: "header", required: false, schema: text, example: "wait=50" },
      ],
      responses: answers(
        {
          200: {
            description: "events after the given one, or one event a line with Accept: application/x-ndjson",
            content: {
              "application/json": { schema: ref("EventList") },
              "application/x-ndjson": { schema: text },
            },
          },
        },
        [400, 401, 403, 404, 429, 503],
      ),
    },
  },
  [keysPath]: {
    post: {
      summary: "Mints a key; only this answer holds its plaintext",
      security: byOperator,
      parameters: [inPath("workspace_id")],
      requestBody: body("MintRequest"),
      responses: answers({ 201: answer("the key", "MintedKey") }, [400, 409, 413, 415, ...manageFaults]),
    },
    get: {
      summary: "Lists keys, newest first, including revoked keys",
      security: byOperator,
      parameters: [inPath("workspace_id"), ...pageQuery, inQuery("status", { enum: keyStatus.options })],
      responses: answers({ 200: answer("one page", "KeyList") }, [400, ...manageFaults]),
    },
  },
  [`${keysPath}/{key_id}/rotate`]: {
    post: {
      summary: "Revokes a key and issues its replacement, in one step",
      security: byOperator,
      parameters: [inPath("workspace_id"), inPath("key_id")],
      responses: answers({ 201: answer("the new key", "MintedKey") }, [404, 409, ...manageFaults]),
    },
  },
  [`${keysPath}/{key_id}`]: {
    delete: {
      summary: "Revokes a key; it stays in the lists and the audit trail",
      security: byOperator,
      parameters: [inPath("workspace_id"), inPath("key_id")],
      responses: answers({ 200: answer("the revoked key", "Key") }, [404, ...manageFaults]),
    },
  },
  "/api/v1/workspaces/{workspace_id}/audit": {
    get: {
      summary: "Lists the events of the audit trail, newest first",
      security: byOperator,
      parameters: [inPath("workspace_id"), ...pageQuery, inQuery("key_id", uuid)],
      responses: answers({ 200: answer("one page", "AuditList") }, [400, ...manageFaults]),
    },
  },
  "/api/v1/session": {
    post: {
      summary: "Logs an operator in to the dashboard",
      security: [],
      requestBody: body("LogInRequest"),
      responses: answers({ 204: answer("the cookie xpose_session") }, [400, 401, 403, 413, 415, 429, 503]),
    },
    delete: {
      summary: "Ends a session",
      security: [{ session: [] }],
      responses: answers({ 204: answer("the session is over") }, manageFaults),
    },
  },
  "/healthz": {
    get: {
      summary: "Liveness: the process answers",
      security: [],
      responses: { 200: answer("ok", "Health") },
    },
    options: {
      summary: "Liveness, for load balancers that use OPTIONS",
      security: [],
      responses: { 200: answer("ok", "Health") },
    },
  },
  "/readyz": {
    get: {
      summary: "Readiness: the service takes requests",
      security: [],
      responses: answers({ 200: answer("ok, and problems such as a full disk", "Readiness") }, [503]),
    },
  },
  "/metrics": {
    get: {
      summary: "Metrics in the text format of Prometheus, for this machine and for operators",
      security: [{}, ...byOperator],
      responses: answers({ 200: { description: "metrics", content: { "text/plain": { schema: text } } } }, [401, 503]),
    },
  },
  "/openapi.json": {
    get: {
      summary: "This document",
      security: [],
      responses: {
        200: { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } },
      },
    },
  },
};

/**
 * The API of docs/contract.md as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), without the paths of
 * the dashboard.
 */
export function openapiDocument(version: string) {
  return {
    openapi: "3.1.0",
    info: {
      title: "xpose",
      version,
      description:
        "Evidence, not a verdict: what the internet exposes about an email address, sourced and timestamped.",
      license: { name: "AGPL-3.0-only", identifier: "AGPL-3.0-only" },
    },
    paths,
    components: {
      schemas,
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
        operatorToken: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: "xpose_session" },
      },
    },
  };
}
