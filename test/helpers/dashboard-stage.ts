import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { Appliance, type Service } from "./appliance.ts";

/** The browser for the tests; without it the tests are skipped. */
export const chromiumPath = "/usr/bin/chromium";

/** Flags that stop the browser's own network requests and its welcome pages. */
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export type Theme = "light" | "dark";

/** The answer of an in-house source. */
export type Upstream = () => Response | Promise<Response>;

export type Stage = AsyncDisposable & {
  readonly appliance: Appliance;
  readonly service: Service;
  /** Tokens of operators of the workspace `default`. */
  readonly admin: string;
  readonly viewer: string;
  /** In-house sources by name; an answer may be replaced at any time. */
  readonly upstreams: Map<string, Upstream>;
};

/** The compiled service with an admin, a viewer, and in-house sources that the test answers for. */
export async function openStage(
  sources: Readonly<Record<string, Upstream>>,
  prepare: (appliance: Appliance) => void = () => undefined,
): Promise<Stage> {
  const appliance = new Appliance();
  const upstreams = new Map(Object.entries(sources));
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => upstreams.get(new URL(request.url).pathname.slice(1))?.() ?? new Response("", { status: 404 }),
  });
  const tables = [...upstreams.keys()].map(
    (name) => `[[sources.http]]\nname = "${name}"\nurl = "http://127.0.0.1:${server.port}/${name}?q={email}"\n`,
  );
  const config = join(appliance.folder, "xpose.toml");
  const settings = '[server]\nsource_url = "https://code.example.com/xpose"\n';
  writeFileSync(config, `data_dir = ${JSON.stringify(appliance.dataDir)}\n${settings}${tables.join("")}`);
  const { operator_token: admin } = appliance.json<{ operator_token: string }>("init");
  const { token: viewer } = appliance.json<{ token: string }>(
    "operators",
    "create",
    "--name",
    "Vera",
    "--role",
    "viewer",
  );
  prepare(appliance);
  const service = await appliance.serve({ args: ["--config", config] });
  return {
    appliance,
    service,
    admin,
    viewer,
    upstreams,
    async [Symbol.asyncDispose]() {
      await appliance[Symbol.asyncDispose]();
      await server.stop(true);
    },
  };
}

/** Starts a session and returns its cookie. Log-ins are limited (docs/contract.md 9.9), so tests share a session. */
export async function startSession(url: string, token: string): Promise<string> {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${url}/api/v1/session`, { method: "POST", headers, body: JSON.stringify({ token }) });
  const cookie = /xpose_session=([0-9a-f]{64})/.exec(response.headers.get("Set-Cookie") ?? "")?.[1];
  if (cookie === undefined) throw new Error(`no session: ${response.status}`);
  return cookie;
}

/** A finding in the form that an in-house source sends. */
export function findings(...found: readonly object[]): Response {
  return Response.json({ findings: found });
}

export type Visit = AsyncDisposable & {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Everything that must not happen: requests to another host, violations of the policy, errors on the console. */
  readonly faults: string[];
  /** Logs in with the form. */
  readonly logIn: (token: string) => Promise<void>;
  /** Logs in with the cookie of an existing session. */
  readonly enterWith: (cookie: string) => Promise<void>;
  readonly goTo: (place: string) => Promise<void>;
};

/** A browser with its own profile. */
export async function visit(
  url: string,
  { theme = "light" as Theme, width = 1280, height = 900 } = {},
): Promise<Visit> {
  const profile = mkdtempSync(join(tmpdir(), "xpose-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath,
    headless: true,
    args: flags,
    colorScheme: theme,
    viewport: { width, height },
    permissions: ["clipboard-read", "clipboard-write"],
    baseURL: url,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const faults: string[] = [];
  const { host } = new URL(url);
  context.on("request", (request) => {
    const to = new URL(request.url());
    if (to.host !== host && !["data:", "blob:", "about:"].includes(to.protocol)) faults.push(`request to ${to.host}`);
  });
  page.on("pageerror", (error) => faults.push(`page error: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  await page.addInitScript(
    "document.addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective))",
  );
  return {
    page,
    context,
    faults,
    async logIn(token) {
      await page.getByLabel("Operator token").fill(token);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByRole("navigation", { name: "Pages" }).waitFor();
    },
    async enterWith(cookie) {
      await context.addCookies([{ name: "xpose_session", value: cookie, url, httpOnly: true, sameSite: "Strict" }]);
      await page.goto("/");
      await page.reload();
      await page.getByRole("navigation", { name: "Pages" }).waitFor();
    },
    async goTo(place) {
      await page.getByRole("link", { name: place, exact: true }).first().click();
      await page.getByRole("heading", { level: 1, name: place }).waitFor();
    },
    async [Symbol.asyncDispose]() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
