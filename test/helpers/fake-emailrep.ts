import badKey from "../fixtures/sources/emailrep/bad-key.json";
import badReputation from "../fixtures/sources/emailrep/bad-reputation.json";
import found from "../fixtures/sources/emailrep/found.json";
import invalidAddress from "../fixtures/sources/emailrep/invalid-address.json";
import noUserAgent from "../fixtures/sources/emailrep/no-user-agent.json";
import nothing from "../fixtures/sources/emailrep/nothing.json";
import quotaReached from "../fixtures/sources/emailrep/quota-reached.json";
import serverError from "../fixtures/sources/emailrep/server-error.json";
import switchedOff from "../fixtures/sources/emailrep/switched-off.json";

/** The only key that the fake accepts. */
export const emailrepTestKey = "emailrep-test-key";

export type FakeEmailrep = {
  /** For `base_url`. */
  readonly url: string;
  /** All requests so far. `path` is still percent-encoded. */
  readonly requests: readonly { readonly method: string; readonly path: string; readonly headers: Headers }[];
  readonly stop: () => Promise<void>;
};

const page = "<!doctype html><title>Sign in</title>";

/** The reply for addresses with these local parts, in any domain. The fake knows nothing about other addresses. */
const replies: Readonly<Record<string, () => Response>> = {
  "jane.doe": () => json(200, found),
  mallory: () => json(200, badReputation),
  "not-found": () => json(404, { status: "fail", reason: "not found" }),
  "text-404": () => new Response("default backend - 404", { status: 404, headers: { "content-type": "text/plain" } }),
  "problem-404": () => json(404, { type: "about:blank", title: "Not Found", status: 404 }),
  "problem-200": () => json(200, found, { "content-type": "application/problem+json" }),
  another: () => json(200, found),
  invalid: () => json(400, invalidAddress),
  "bad-request": () => json(400, { status: "fail", reason: "bad request" }),
  "quota-reached": () => json(429, quotaReached, { "x-rate-limit-daily-remaining": "0" }),
  "switched-off": () => json(429, switchedOff),
  "server-error": () => json(500, serverError),
  "bad-gateway": () => html(502),
  "html-200": () => html(200),
  "html-403": () => html(403),
  "html-404": () => html(404),
  redirect: () => new Response(null, { status: 302, headers: { location: "/jane.doe%40example.com" } }),
  "broken-json": () => new Response('{"email":', { headers: { "content-type": "application/json" } }),
  "no-details": () => json(200, { ...found, details: undefined }),
  "fail-200": () => json(200, { status: "fail", reason: "try again" }),
};

/** A fake of emailrep.io on 127.0.0.1. Port 0 picks a free port. */
export async function startFakeEmailrep({ port = 0 } = {}): Promise<FakeEmailrep> {
  const requests: { method: string; path: string; headers: Headers }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: (request) => {
      const path = new URL(request.url).pathname;
      requests.push({ method: request.method, path, headers: request.headers });
      // The user agent is checked before the key.
      if ((request.headers.get("user-agent") ?? "") === "") return json(403, noUserAgent);
      const key = request.headers.get("key");
      if (key === null) return json(429, switchedOff);
      if (key !== emailrepTestKey) return json(401, badKey);
      if (request.method !== "GET") return json(405, { status: "fail", reason: "method not allowed" });
      const segments = path.slice(1).split("/");
      const address = decodeURIComponent(segments[0] ?? "");
      if (segments.length !== 1 || !address.includes("@")) return json(400, invalidAddress);
      const left = { "x-rate-limit-daily-remaining": "9", "x-rate-limit-monthly-remaining": "240" };
      return replies[address.split("@")[0] ?? ""]?.() ?? json(200, { ...nothing, email: address }, left);
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, requests, stop: () => server.stop(true) };
}

function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(body, { status, headers });
}

function html(status: number): Response {
  return new Response(page, { status, headers: { "content-type": "text/html" } });
}
