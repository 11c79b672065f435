import { expect, test } from "vitest";
import { parseBundle } from "../../src/http/dashboard-files.ts";
import { openTestService } from "../helpers/test-service.ts";

const origin = "http://127.0.0.1:8080";

async function get(path: string, headers: Record<string, string> = {}) {
  const { respond } = await openTestService();
  return respond(new Request(origin + path, { headers: { Host: "127.0.0.1:8080", ...headers } }));
}

test("the page needs no credentials, may load only from our origin, and is never cached", async () => {
  const response = await get("/");
  expect([response.status, await response.text()]).toEqual([200, "<!doctype html><title>xpose</title>"]);
  const policy = response.headers.get("Content-Security-Policy") ?? "";
  expect(policy).toContain("default-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
  expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
  expect(response.headers.get("Referrer-Policy")).toBe("no-referrer");
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  expect(response.headers.get("Content-Type")).toBe("text/html; charset=utf-8");
});

test("an asset may be cached for ever, under the same policy", async () => {
  const response = await get("/assets/app-0a1b2c3d.js");
  expect([response.status, await response.text()]).toEqual([200, "export {};"]);
  expect(response.headers.get("Cache-Control")).toBe("public, max-age=31536000, immutable");
  expect(response.headers.get("Content-Type")).toBe("text/javascript; charset=utf-8");
  expect(response.headers.get("Content-Security-Policy")).toContain("default-src 'self'");
});

test.each([
  [null, null],
  ["gzip", "gzip"],
  ["br, GZIP;q=0.5", "gzip"],
  ["gzip;q=0", null],
  ["gzip; q=0.000", null],
  ["br, xgzip", null],
])("a browser that accepts %s gets the encoding %s", async (accepted, encoding) => {
  const response = await get("/", accepted === null ? {} : { "Accept-Encoding": accepted });
  expect(response.headers.get("Content-Encoding")).toBe(encoding);
  expect(response.headers.get("Vary")).toBe("Accept-Encoding");
});

test.each(["/assets/", "/assets/nothing.js", "/assets/..%2Findex.html", "/assets/index.html", "/assets/__proto__"])(
  "%s is no file of the page",
  async (path) => {
    expect((await get(path)).status).toBe(404);
  },
);

test("the page answers only to our host names, to prevent DNS rebinding", async () => {
  for (const path of ["/", "/assets/app-0a1b2c3d.js", "/api/v1/dashboard/about"]) {
    expect((await get(path, { Host: "evil.example" })).status).toBe(403);
  }
});

test("a bundle without a page is refused", () => {
  expect(() => parseBundle("{}")).toThrow("without its page");
});
