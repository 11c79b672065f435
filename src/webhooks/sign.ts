import { createHmac } from "node:crypto";

/**
 * The headers of the Standard Webhooks rules (symmetric signatures, version 1): HMAC-SHA-256 over id, time and body, one
 * signature for each secret with a blank between. Own code: it is one HMAC, and a library for it would be the larger part.
 */
export function signedHeaders(
  { id, at, body }: { readonly id: string; readonly at: Date; readonly body: string },
  secrets: readonly Uint8Array[],
): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signatures = secrets.map((secret) => {
    return `v1,${createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}
