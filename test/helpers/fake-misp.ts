import * as z from "zod/mini";
import attributes from "../fixtures/sources/misp/attributes.json";
import badKey from "../fixtures/sources/misp/bad-key.json";
import noRoute from "../fixtures/sources/misp/no-route.json";
import nothingOld from "../fixtures/sources/misp/nothing-old.json";
import rateLimited from "../fixtures/sources/misp/rate-limited.json";
import searchNotAllowed from "../fixtures/sources/misp/search-not-allowed.json";
import serverError from "../fixtures/sources/misp/server-error.json";

/** The only key that the fake accepts. */
export const mispTestKey = "0123456789abcdefghijklmnopqrstuvwxyzABCD";

export type FakeMisp = {
  /** For `base_url`. */
  readonly url: string;
  /** All requests so far; `body` is the raw text. */
  readonly requests: readonly {
    readonly method: string;
    readonly path: string;
    readonly headers: Headers;
    readonly body: string;
  }[];
  readonly stop: () => Promise<void>;
};

/** The reply for addresses with these local parts, in any domain. Other addresses are looked up. */
const replies: Readonly<Record<string, () => Response>> = {
  "old-version": () => json(200, nothingOld),
  "not-allowed": () => json(405, searchNotAllowed),
  "bad-method": () => json(405, { ...noRoute, message: "Method Not Allowed" }),
  "rate-limited": () =>
    json(429, rateLimited, { "x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "840" }),
  "no-route": () => json(404, noRoute),
  "server-error": () => json(500, serverError),
  "login-page": () => new Response(null, { status: 302, headers: { location: "/users/login" } }),
  "html-200": () => html(200),
  "html-403": () => html(403),
  "broken-json": () => new Response('{"response":', { headers: { "content-type": "application/json" } }),
};

/** Number of attributes that hold an address with this local part, each in a separate event. */
const counts: Readonly<Record<string, number>> = { hundred: 100, many: 250, thousand: 1000, flood: 5000 };

type Row = (typeof attributes)[number];

const search = z.object({
  returnFormat: z.literal("json"),
  value: z.string(),
  type: z.array(z.string()),
  limit: z.number(),
  page: z.number(),
});

/** A fake MISP on 127.0.0.1 that interprets `%`, `!`, `&&` and `|` in a value like MISP. Port 0 picks a free port. */
export async function startFakeMisp({ port = 0 } = {}): Promise<FakeMisp> {
  const requests: { method: string; path: string; headers: Headers; body: string }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: async (request) => {
      const path = new URL(request.url).pathname;
      const body = await request.text();
      requests.push({ method: request.method, path, headers: request.headers, body });
      if (request.headers.get("authorization") !== mispTestKey) return json(403, badKey);
      if (path === "/servers/getVersion") return json(200, { version: "2.5.1" });
      if (path !== "/attributes/restSearch" || request.method !== "POST") return json(404, noRoute);
      const asked = search.parse(JSON.parse(body));
      const local = asked.value.split("@")[0] ?? "";
      return replies[local]?.() ?? found(asked);
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, requests, stop: () => server.stop(true) };
}

function found({ value, type, limit, page }: z.infer<typeof search>): Response {
  const held = [...attributes, ...generated(value)];
  const rows = held.filter((row) => type.includes(row.type) && matches(row.value, value));
  const shown = rows.slice((page - 1) * limit, page * limit);
  return json(200, { response: { Attribute: shown } }, { "x-result-count": String(shown.length) });
}

function matches(held: string, wanted: string): boolean {
  if (wanted.includes("&&")) return wanted.split("&&").some((part) => matches(held, part));
  if (wanted.startsWith("!")) return !matches(held, wanted.slice(1));
  const [a, b] = [held.toLowerCase(), wanted.toLowerCase()];
  if (wanted.includes("|")) return b.split("|").includes(a);
  if (wanted.startsWith("%") || wanted.endsWith("%")) return a.includes(b.replaceAll("%", ""));
  // Like the collation of MISP's database: letters with and without accents are equal.
  return a.localeCompare(b, "en", { sensitivity: "base" }) === 0;
}

function generated(value: string): Row[] {
  const [row] = attributes;
  if (row === undefined) return [];
  return Array.from({ length: counts[value.split("@")[0] ?? ""] ?? 0 }, (_, index) => {
    const id = String(1000 + index);
    const uuid = `6a1d0000-0000-4000-8000-${id.padStart(12, "0")}`;
    return { ...row, id, event_id: id, value, Event: { ...row.Event, id, uuid } };
  });
}

function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(body, { status, headers });
}

function html(status: number): Response {
  return new Response("<!doctype html><title>Sign in</title>", { status, headers: { "content-type": "text/html" } });
}
