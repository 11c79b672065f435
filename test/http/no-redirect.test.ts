import { expect, test } from "vitest";
import { routes } from "../../src/http/route-table.ts";
import { addOperator } from "../helpers/operator-client.ts";
import { openTestService } from "../helpers/test-service.ts";

// A client that follows a redirect takes `X-API-Key` along, to whatever host it is sent to.

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** Ways to write a path that other servers answer with a redirect to the right one. */
const spellings: Readonly<Record<string, (path: string) => string>> = {
  "as it is": (path) => path,
  "with a slash behind": (path) => `${path}/`,
  "with two slashes before": (path) => `/${path}`,
  "with a dot": (path) => `${path}/.`,
  "in capitals": (path) => path.toUpperCase(),
  "with a query": (path) => `${path}?next=https://evil.example/`,
};

test("pipeline 35 no route redirects, whoever asks by whichever method, and however its path is written", async () => {
  const service = await openTestService({ app: { logIns: { take: () => null } } });
  const { token } = await addOperator(service, service.tenant.id, "alice");
  const callers: Record<string, string>[] = [
    {},
    { "X-API-Key": service.tenant.token },
    { Authorization: `Bearer ${token}` },
    { Host: "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https" },
  ];
  const wrong: string[] = [];
  const paths = new Set(routes.map(({ path }) => path.replaceAll(/\{\w+\}/g, service.tenant.id)));
  for (const path of [...paths, "/nowhere", "/dashboard", "/index.html", "/api", "/api/v1"]) {
    for (const [name, spell] of Object.entries(spellings)) {
      for (const method of methods) {
        for (const headers of callers) {
          const request = new Request(`http://127.0.0.1:8080${spell(path)}`, { method, headers });
          const { status, headers: answered } = await service.respond(request);
          // A 202 names the place to poll at.
          const leadsAway = (status >= 300 && status < 400) || (status !== 202 && answered.has("Location"));
          if (leadsAway || answered.has("Refresh")) wrong.push(`${method} ${path} ${name}: ${status}`);
        }
      }
    }
  }
  expect(wrong).toEqual([]);
});
