import { isObject, type JsonObject, parseObject } from "../domain/json-object.ts";
import { systemCa } from "../egress/connection.ts";
import type { Case, CompletedCase } from "../wire/case.ts";
import { ConnectorError } from "./error.ts";

/** How a connector reaches the service. */
export type ServiceSettings = {
  /** The base URL of the service, including the path prefix of a proxy. */
  readonly url: string;
  readonly apiKey: string;
  /** Seconds that one request may ask the service to wait; values over 50 count as 50. */
  readonly wait: number;
  readonly cachedOnly: boolean;
  /** PEM certificates that are trusted in addition to those of the system, or null. */
  readonly extraCa: string | null;
  /** False: the certificate of the service is not verified. Results must say so. */
  readonly isVerified: boolean;
  /** URL of an http or https proxy, or null for none. The environment is ignored. */
  readonly proxy: string | null;
};

export type LookUpOptions = {
  /** A marking of docs/pipeline.md 16.2, or null for none. */
  readonly tlp: string | null;
  /** When the time limit of the platform ends, on the scale of `performance.now()`. */
  readonly deadline: number;
};

/** An answer of the service: a JSON object with status 200 or 202. */
export type ServiceAnswer = {
  readonly status: number;
  readonly body: JsonObject;
  readonly retryAfterMs: number | null;
};

export type ServiceClient = {
  /**
   * Looks up an address: asks, polls as `Retry-After` says, and reads the case. Throws `ConnectorError` when no source
   * answered, when the scan does not end in time, and for any other outcome without a case.
   */
  readonly lookUp: (email: string, options: LookUpOptions) => Promise<CompletedCase>;
  /**
   * Sends one request below `/api/v1/soc`. Waits and retries whenever the service asks for it, as long as the wait ends
   * before `deadline`. Throws `ConnectorError` for every answer that is not a JSON object with status 200 or 202.
   */
  readonly ask: (request: ServiceRequest) => Promise<ServiceAnswer>;
  /** The same for an answer of one JSON document per line, such as a list: the lines, as they come. */
  readonly lines: (request: ServiceRequest) => AsyncGenerator<string>;
};

export type ServiceRequest = {
  readonly path: string;
  /** The body; its presence makes the request a POST. */
  readonly body?: object;
  /** Seconds for `Prefer: wait`. */
  readonly wait?: number;
  readonly deadline: number;
};

/**
 * The longest wait of one request. docs/contract.md 3.6 allows no more, and platforms cut connections after a minute.
 */
const maxWaitSeconds = 50;
const maxAnswerBytes = 16 * 1024 * 1024;
/** Part of every result when the certificate of the service was not verified. */
export const notVerified = "TLS was not verified";

/** Opens no connection before the first request. `name` and `version` form the user agent. */
export function openServiceClient(
  settings: ServiceSettings,
  { name, version }: { name: string; version: string },
): ServiceClient {
  const base = `${settings.url.replace(/\/+$/, "")}/api/v1/soc`;
  const headers = {
    "X-API-Key": settings.apiKey,
    Accept: "application/json",
    "User-Agent": `xpose-${name}/${version}`,
  };

  async function ask(request: ServiceRequest): Promise<ServiceAnswer> {
    for (;;) {
      const { status, body, retryAfterMs } = await send(request);
      if (status === 200 || status === 202) return { status, body, retryAfterMs };
      const mayWait = (status === 429 || status === 503) && retryAfterMs !== null;
      if (!mayWait || performance.now() + retryAfterMs >= request.deadline) throw refusal(status, body, retryAfterMs);
      await Bun.sleep(retryAfterMs);
    }
  }

  async function send(request: ServiceRequest): Promise<ServiceAnswer> {
    return await answerOf(await fetchFrom(request));
  }

  async function* lines(request: ServiceRequest): AsyncGenerator<string> {
    const response = await fetchFrom(request, { Accept: "application/x-ndjson" });
    if (response.status !== 200) {
      const { status, body, retryAfterMs } = await answerOf(response);
      throw refusal(status, body, retryAfterMs);
    }
    const decoder = new TextDecoder();
    let text = "";
    try {
      for await (const piece of response.body ?? []) {
        text += decoder.decode(piece, { stream: true });
        const complete = text.split("\n");
        text = complete.pop() ?? "";
        yield* complete;
      }
    } catch (error) {
      throw new ConnectorError(`xpose does not answer: ${reasonOf(error)}`);
    }
    if (text !== "") throw new ConnectorError("xpose does not answer: the list broke off");
  }

  async function fetchFrom({ path, body, wait = 0, deadline }: ServiceRequest, extra = {}): Promise<Response> {
    const leftMs = Math.floor(deadline - performance.now());
    if (leftMs <= 0) throw new ConnectorError("xpose does not answer: the time is over");
    try {
      return await fetch(`${base}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          ...headers,
          ...extra,
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...(wait < 1 ? {} : { Prefer: `wait=${wait}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: "manual",
        signal: AbortSignal.timeout(leftMs),
        ...(settings.proxy === null ? {} : { proxy: settings.proxy }),
        ...tlsOf(settings),
      });
    } catch (error) {
      throw new ConnectorError(`xpose does not answer: ${reasonOf(error)}`);
    }
  }

  async function answerOf(response: Response): Promise<ServiceAnswer> {
    if (response.status >= 300 && response.status < 400) {
      const message = `xpose answered ${response.status}: a redirect is not followed; correct the url`;
      throw new ConnectorError(message, { status: response.status });
    }
    const parsed = await jsonObjectOf(response);
    if (parsed === null) {
      const message = `xpose answered ${response.status} without JSON: the url does not lead to xpose`;
      throw new ConnectorError(message, { status: response.status });
    }
    return { status: response.status, body: parsed, retryAfterMs: retryAfterOf(response) };
  }

  async function lookUp(email: string, { tlp, deadline }: LookUpOptions): Promise<CompletedCase> {
    const options = { ...(tlp === null ? {} : { tlp }), ...(settings.cachedOnly ? { cached_only: true } : {}) };
    const question = {
      indicator: { type: "email", value: email },
      ...(Object.keys(options).length === 0 ? {} : { options }),
    };
    let answer = await ask({ path: "/enrich", body: question, wait: waitUntil(deadline), deadline });
    const requestId = textOf(answer.body["request_id"]);
    if (requestId === null) throw new ConnectorError("xpose answered without a request_id");
    for (;;) {
      const state = textOf(answer.body["status"]) ?? "unknown";
      if (state === "completed" || state === "failed") break;
      const pauseMs = Math.max(1000, answer.retryAfterMs ?? 0);
      if (performance.now() + pauseMs >= deadline) throw stillRunning(requestId, state);
      await Bun.sleep(pauseMs);
      answer = await ask({ path: `/enrich/${requestId}`, wait: waitUntil(deadline), deadline });
    }
    const found = (await ask({ path: `/enrich/${requestId}/case`, deadline })).body as unknown as Case;
    if (found.status === "completed") return found;
    throw new ConnectorError(noSourceAnswered(found.failed_sources ?? []), { kind: "failed", requestId });
  }

  function waitUntil(deadline: number): number {
    return Math.min(maxWaitSeconds, settings.wait, Math.floor((deadline - performance.now()) / 1000));
  }

  return { lookUp, ask, lines };
}

function stillRunning(requestId: string, state: string): ConnectorError {
  return new ConnectorError(`xpose: scan ${requestId} is still ${state}; ask again`, { kind: "pending", requestId });
}

function noSourceAnswered(failed: readonly { source: string; error: string }[]): string {
  const names = failed.map(({ source, error }) => `${source} (${error})`);
  return `xpose: no source answered: ${names.length === 0 ? "none is enabled" : names.join(", ")}`;
}

/** The runtime replaces its own CA certificates by the given ones, so those of the system are added. */
function tlsOf({ url, extraCa, isVerified }: ServiceSettings): { tls?: object } {
  if (!url.toLowerCase().startsWith("https:")) return {};
  if (!isVerified) return { tls: { rejectUnauthorized: false } };
  return { tls: { ca: [systemCa(), ...(extraCa === null ? [] : [extraCa])], rejectUnauthorized: true } };
}

/** The text for an error answer: `xpose: code (message), retry after S s`. */
function refusal(status: number, body: ServiceAnswer["body"], retryAfterMs: number | null): ConnectorError {
  const error = isObject(body["error"]) ? body["error"] : {};
  const code = textOf(error["code"]) ?? `http_${status}`;
  const message = textOf(error["message"]) ?? "no reason given";
  const later = retryAfterMs === null ? "" : `, retry after ${Math.ceil(retryAfterMs / 1000)} s`;
  return new ConnectorError(`xpose: ${code} (${message})${later}`, { status });
}

/** Milliseconds of a `Retry-After` in seconds or as a date, at least one second; null without the header. */
function retryAfterOf(response: Response): number | null {
  const text = response.headers.get("retry-after");
  if (text === null) return null;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, seconds) * 1000 : null;
}

async function jsonObjectOf(response: Response): Promise<JsonObject | null> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of response.body ?? []) {
      size += piece.byteLength;
      if (size > maxAnswerBytes) throw new ConnectorError("xpose answered with more than 16 MiB");
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof ConnectorError) throw error;
    throw new ConnectorError(`xpose does not answer: ${reasonOf(error)}`);
  }
  return parseObject(Buffer.concat(pieces).toString("utf8"));
}

/** The reason why the service could not be reached. A problem with its certificate contains the word `certificate`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown reason";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error.name === "TimeoutError") return "the time is over";
  if (/CERT|ISSUER|LEAF_SIGNATURE|SELF_SIGNED|ALTNAME/.test(code) || /certificate/i.test(error.message)) {
    return `its certificate is not trusted (${code || error.name})`;
  }
  return code === "" ? "the connection failed" : `the connection failed (${code})`;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
