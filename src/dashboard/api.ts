import type { ErrorBody } from "../wire/error.ts";
import type { MintRequest } from "../wire/key.ts";
import type { EnrichRequest } from "../wire/scan.ts";
import type { LogInRequest } from "../wire/session.ts";
import type { Unchecked } from "../wire/shape.ts";

/** A failed request, with a message for the page. */
export class Fault extends Error {
  override readonly name = "Fault";
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Code of the error body, or one of ours: `no_answer`, `bad_answer`. */
  readonly code: string;
  readonly correlationId: string | null;

  constructor(status: number, code: string, message: string, correlationId: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.correlationId = correlationId;
  }
}

export type Answer<Body> = { readonly body: Body; readonly text: string; readonly headers: Headers };

type Method = "GET" | "POST" | "DELETE";
type RequestBody = EnrichRequest | MintRequest | LogInRequest;
type RequestOptions = { readonly method?: Method; readonly body?: RequestBody; readonly signal?: AbortSignal };

/** Asks the API. Throws `Fault`, and the signal's own error when it was aborted. */
export async function ask<Body>(path: string, options: RequestOptions = {}): Promise<Answer<Body>> {
  const { method = "GET", body, signal } = options;
  let response: Response;
  let text: string;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
      ...(signal === undefined ? {} : { signal }),
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new Fault(0, "no_answer", "xpose does not answer. It may be restarting, or the network is down.");
  }
  const { headers, status } = response;
  const parsed = text === "" ? null : parse(text);
  if (response.ok && parsed !== undefined) return { body: parsed as Body, text, headers };
  const correlationId = headers.get("X-Correlation-Id");
  const { code, message } = errorOf(parsed);
  const waitSeconds = headers.get("Retry-After");
  const advice = status === 429 && waitSeconds !== null ? ` Try again in ${waitSeconds} s.` : "";
  throw new Fault(status, code, `${message}.${advice}`, correlationId);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorOf(body: unknown): { code: string; message: string } {
  const { error } = (body ?? {}) as Unchecked<ErrorBody>;
  const { code, message } = (error ?? {}) as Unchecked<ErrorBody["error"]>;
  if (typeof code === "string" && typeof message === "string") return { code, message };
  return { code: "bad_answer", message: "This is not an answer of xpose; is there a proxy in between?" };
}
