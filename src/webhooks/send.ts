import { SourceError } from "../domain/error.ts";
import { thinEvent } from "../domain/watch-event.ts";
import type { HttpClient } from "../egress/client.ts";
import type { FullEvent, ThinEvent, WatchEventBody } from "../wire/event.ts";
import { signedHeaders } from "./sign.ts";

/** A receiver with the client that reaches it. */
export type Webhook = {
  readonly name: string;
  readonly url: string;
  readonly secrets: readonly string[];
  readonly workspaces: readonly string[] | null;
  readonly types: readonly string[] | null;
  readonly isThin: boolean;
  /** False while the service is offline and the receiver is not marked internal. */
  readonly isAllowed: boolean;
  readonly http: HttpClient;
};

/** `status` is null when nobody answered. */
export type SendResult = { readonly status: number | null; readonly fault: string | null };

/** Receivers are told to answer within some seconds and to work afterwards. */
const attemptMs = 15_000;
const maxAnswerBytes = 64 * 1024;

/** Sends one event. Never throws for a fault of the receiver; throws the reason of `signal` when that aborts. */
export async function sendEvent(
  { url, secrets, isThin, http }: Pick<Webhook, "url" | "secrets" | "isThin" | "http">,
  event: WatchEventBody,
  at: Date,
  signal: AbortSignal,
): Promise<SendResult> {
  const full: FullEvent = { type: event.type, timestamp: event.at, data: event };
  const thin: ThinEvent = thinEvent(event);
  const body = JSON.stringify(isThin ? thin : full);
  try {
    const response = await http.request({
      method: "POST",
      url,
      headers: { "content-type": "application/json", ...signedHeaders({ id: event.id, at, body }, secrets) },
      body,
      maxBytes: maxAnswerBytes,
      signal: AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]),
    });
    const isTaken = response.status >= 200 && response.status < 300;
    return { status: response.status, fault: isTaken ? null : `the receiver answered ${response.status}` };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SourceError) return { status: null, fault: error.message };
    if (error instanceof Error && error.name === "TimeoutError")
      return { status: null, fault: "the receiver did not answer in time" };
    throw error;
  }
}
