import { createHmac } from "node:crypto";

/**
 * The headers of the Standard Webhooks rules (symmetric signatures, version 1): HMAC-SHA-256 over id, time and body, one
 * signature for each secret with a blank between. `secrets` are in base64. Own code: it is one HMAC, and a library for it would be the larger part.
 */
export function signedHeaders(
  { id, at, body }: { readonly id: string; readonly at: Date; readonly body: string },
  secrets: readonly string[],
): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signatures = secrets.map((secret) => {
    return `v1,${createHmac("sha256", Buffer.from(secret, "base64")).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}
