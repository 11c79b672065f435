import { disambiguation } from "../domain/envelope.ts";
import { errorCodes } from "../domain/error.ts";

type Json = Readonly<Record<string, unknown>>;

const text = { type: "string" } as const;
const textOrNull = { type: ["string", "null"] } as const;
const time = { type: "string", format: "date-time" } as const;
const timeOrNull = { type: ["string", "null"], format: "date-time" } as const;
const uuid = { type: "string", format: "uuid" } as const;
const uuidOrNull = { type: ["string", "null"], format: "uuid" } as const;
const count = { type: "integer", minimum: 0 } as const;

/** An object with exactly these members, in this order. */
function object(properties: Json, required: readonly string[] = Object.keys(properties)): Json {
  return { type: "object", properties, required };
}

function list(items: Json): Json {
  return { type: "array", items };
}

function ref(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function answer(description: string, schema: Json | null = null): Json {
  return schema === null ? { description } : { description, content: { "application/json": { schema } } };
}

function body(schema: Json): Json {
  return { required: true, content: { "application/json": { schema } } };
}

/** One answer per status; every one of 400 and above has the one shape of errors. */
function answers(good: Json, faults: readonly number[]): Json {
  const bad = faults.map((status) => [status, answer("see the code of the error", ref("Error"))]);
  return { ...good, ...Object.fromEntries(bad) };
}

const inPath = (name: string): Json => ({ name, in: "path", required: true, schema: uuid });
const inQuery = (name: string, schema: Json): Json => ({ name, in: "query", required: false, schema });
const pageQuery = [
  inQuery("limit", { type: "integer", minimum: 1, maximum: 200, default: 100 }),
  inQuery("cursor", text),
];

const byKey = [{ apiKey: [] }];
const byOperator = [{ operatorToken: [] }, { session: [] }];

const indicator = object({ type: { const: "email" }, value: text });
const status = { enum: ["queued", "scanning", "running", "failed", "completed"] } as const;

const atom = {
  source: text,
  source_url: textOrNull,
  source_confidence: { type: "number", minimum: 0, maximum: 1 },
  source_tier: { enum: ["high", "medium", "low"] },
  corroboration_count: count,
  corroborated_by: { ...list(text), maxItems: 5 },
  category: text,
  severity: { enum: ["high", "medium", "low"] },
  title: text,
  indicator_type: textOrNull,
  indicator_value: textOrNull,
  first_seen: timeOrNull,
  last_seen: timeOrNull,
} as const;

const key = {
  id: uuid,
  name: text,
  prefix: text,
  status: { enum: ["active", "revoked", "expired"] },
  created_at: time,
  created_by: text,
  last_used_at: timeOrNull,
  expires_at: timeOrNull,
  revoked_at: timeOrNull,
  rotated_from: uuidOrNull,
  rotated_to: uuidOrNull,
} as const;

const schemas: Json = {
  Error: object({ error: object({ code: { enum: errorCodes }, message: text }) }),
  Indicator: indicator,
  Atom: object(atom),
  Envelope: object({
    request_id: uuid,
    status: { const: "completed" },
    cache: { enum: ["hit", "miss_scan_complete"] },
    indicator: ref("Indicator"),
    exposure: object({
      findings: list(ref("Atom")),
      total: count,
      by_severity: { type: "object", additionalProperties: count },
    }),
    disambiguation: object({ required: { const: true }, reason: { const: disambiguation.reason } }),
  }),
  Progress: object({ status, request_id: uuid }),
  Accepted: object({
    status: { const: "scanning" },
    request_id: uuid,
    poll_url: text,
    indicator: ref("Indicator"),
  }),
  Key: object(key),
  MintedKey: object({ ...key, key: text }),
};

const readiness = object({ status: { const: "ok" }, problems: { type: "array", items: text } }, ["status"]);
const envelopeOrProgress = { oneOf: [ref("Envelope"), ref("Progress")] };
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
      parameters: [{ name: "Prefer", in: "header", required: false, schema: text, example: "wait=10" }],
      requestBody: body(
        object({ indicator: ref("Indicator"), options: object({ depth: { ...text, default: "quick" } }, []) }, [
          "indicator",
        ]),
      ),
      responses: answers(
        {
          200: answer("a fresh result, or the end of a scan that was waited for", envelopeOrProgress),
          202: answer("a scan was started or joined; ask again at poll_url", ref("Accepted")),
        },
        [400, 401, 403, 413, 415, 422, 429, 503],
      ),
    },
  },
  [`${enrichPath}/{request_id}`]: {
    get: {
      summary: "The state of a scan, and its envelope once it is completed",
      security: byKey,
      parameters: [inPath("request_id")],
      responses: answers({ 200: answer("the envelope, or how far the scan is", envelopeOrProgress) }, pollFaults),
    },
  },
  [`${enrichPath}/{request_id}/sources`]: {
    get: {
      summary: "How each source fared in a scan",
      security: byKey,
      parameters: [inPath("request_id")],
      responses: answers(
        {
          200: answer(
            "one row per source, by name",
            object({
              request_id: uuid,
              status,
              sources: list(
                object({
                  source: text,
                  outcome: { enum: ["ok", "no_data", "failed", "skipped"] },
                  findings: count,
                  duration_ms: count,
                  error: textOrNull,
                  missing: list(text),
                }),
              ),
            }),
          ),
        },
        pollFaults,
      ),
    },
  },
  [`${enrichPath}/{request_id}/evidence`]: {
    get: {
      summary: "The findings of a scan with their details",
      security: byKey,
      parameters: [inPath("request_id")],
      responses: answers(
        {
          200: answer("the evidence, or how far the scan is", {
            oneOf: [
              object({
                request_id: uuid,
                findings: list(
                  object({
                    ...atom,
                    subject: textOrNull,
                    details: { type: "object" },
                    answered_at: time,
                    answer_sha256: text,
                  }),
                ),
              }),
              ref("Progress"),
            ],
          }),
        },
        pollFaults,
      ),
    },
  },
  [keysPath]: {
    post: {
      summary: "Mints a key; its plaintext is in this answer only",
      security: byOperator,
      parameters: [inPath("workspace_id")],
      requestBody: body(object({ name: { ...text, minLength: 1, maxLength: 64 }, expires_at: timeOrNull }, ["name"])),
      responses: answers({ 201: answer("the key", ref("MintedKey")) }, [400, 409, 413, 415, ...manageFaults]),
    },
    get: {
      summary: "Lists keys, newest first, revoked ones included",
      security: byOperator,
      parameters: [inPath("workspace_id"), ...pageQuery, inQuery("status", { enum: ["active", "revoked", "expired"] })],
      responses: answers({ 200: answer("one page", object({ keys: list(ref("Key")), next_cursor: textOrNull })) }, [
        400,
        ...manageFaults,
      ]),
    },
  },
  [`${keysPath}/{key_id}/rotate`]: {
    post: {
      summary: "Revokes a key and issues another in its place, in one step",
      security: byOperator,
      parameters: [inPath("workspace_id"), inPath("key_id")],
      responses: answers({ 201: answer("the new key", ref("MintedKey")) }, [404, 409, ...manageFaults]),
    },
  },
  [`${keysPath}/{key_id}`]: {
    delete: {
      summary: "Revokes a key; it stays in the lists and the audit trail",
      security: byOperator,
      parameters: [inPath("workspace_id"), inPath("key_id")],
      responses: answers({ 200: answer("the revoked key", ref("Key")) }, [404, ...manageFaults]),
    },
  },
  "/api/v1/workspaces/{workspace_id}/audit": {
    get: {
      summary: "Lists the events of the audit trail, newest first",
      security: byOperator,
      parameters: [inPath("workspace_id"), ...pageQuery, inQuery("key_id", uuid)],
      responses: answers(
        { 200: answer("one page", object({ events: list({ type: "object" }), next_cursor: textOrNull })) },
        [400, ...manageFaults],
      ),
    },
  },
  "/api/v1/session": {
    post: {
      summary: "Logs an operator in to the dashboard",
      security: [],
      requestBody: body(object({ token: text })),
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
      summary: "The process answers",
      security: [],
      responses: { 200: answer("ok", object({ status: { const: "ok" } })) },
    },
  },
  "/readyz": {
    get: {
      summary: "The service takes requests",
      security: [],
      responses: answers({ 200: answer("ok, and what is wrong all the same", readiness) }, [503]),
    },
  },
  "/metrics": {
    get: {
      summary: "Metrics in the text form of Prometheus, for this machine and for operators",
      security: [{}, ...byOperator],
      responses: answers({ 200: { description: "metrics", content: { "text/plain": { schema: text } } } }, [401, 503]),
    },
  },
  "/openapi.json": {
    get: { summary: "This document", security: [], responses: { 200: answer("OpenAPI 3.1", { type: "object" }) } },
  },
};

/** The API of CONTRACT.md as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0). The dashboard's own paths are not part of it. */
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
