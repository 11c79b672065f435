import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Page, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { client } from "../helpers/appliance.ts";
import {
  chromiumPath,
  findings,
  openStage,
  type Stage,
  startSession,
  type Theme,
  type Visit,
  visit,
} from "../helpers/dashboard-stage.ts";
import { hostileTexts, trace } from "../helpers/hostile-texts.ts";

const hasChromium = existsSync(chromiumPath);
if (!hasChromium) console.log(`skipped: the dashboard in a browser needs ${chromiumPath} (Debian package chromium)`);

const shop = {
  title: "Present in the Example Shop 2021 breach",
  subject: "shop.example",
  date: "2021-05",
  severity: "high",
  category: "breach",
  source_url: "https://intel.example.com/breaches/example-shop",
};
const paste = {
  title: "Named in a paste",
  severity: "medium",
  category: "paste",
  source_url: "http://paste.internal/1",
};

let stage: Stage;
const visits: Visit[] = [];
const sessions = new Map<string, Promise<string>>();

beforeAll(async () => {
  if (!hasChromium) return;
  stage = await openStage(
    {
      "asset-register": () => findings(shop, { ...paste, title: "Account at forum.example", severity: "low" }),
      "ticket-archive": () => findings(paste, { ...shop, title: "In the Example Shop leak" }),
      "threat-portal": () => new Response("{}", { status: 500, headers: { "Content-Type": "application/json" } }),
    },
    (appliance) => {
      const csv = join(import.meta.dirname, "../../scripts/quickstart/example-shop-2021.csv");
      appliance.json("corpus", "import", csv, "--name", "example-shop");
      appliance.json("workspaces", "create", "--name", "Poor", "--plan", "team");
      appliance.mintKey("old", "Poor");
      appliance.json("workspaces", "set-plan", "Poor", "starter");
    },
  );
});
afterEach(async () => {
  for (const one of visits.splice(0)) await one[Symbol.asyncDispose]();
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

/** A browser at the log-in. After the test it must have no forbidden requests, violations or errors. */
async function arrive(options: { theme?: Theme; width?: number } = {}): Promise<Visit> {
  const one = await visit(stage.service.url, options);
  visits.push(one);
  await one.page.goto("/");
  await one.page.getByRole("heading", { name: "Log in" }).waitFor();
  return one;
}

/** A browser with a session of this operator; the session is shared with other tests. */
async function enterAs(token: string, options: { theme?: Theme; width?: number } = {}): Promise<Visit> {
  const one = await visit(stage.service.url, options);
  visits.push(one);
  await one.enterWith(await sessionOf(token));
  return one;
}

async function sessionOf(token: string): Promise<string> {
  const session = sessions.get(token) ?? startSession(stage.service.url, token);
  sessions.set(token, session);
  return await session;
}

const clipboard = (page: Page) => page.evaluate<string>("navigator.clipboard.readText()");
const statusOf = async (key: string) => (await client(stage.service.url, key).enrich("key@example.com")).status;

describe.skipIf(!hasChromium)("the dashboard in a browser", () => {
  test("comes from the executable alone, within a second, in less than 300 KB", async () => {
    const { page, context, faults } = await visitLater();
    const tookMs: number[] = [];
    const sizes: number[] = [];
    page.on("response", async (response) => {
      if (/\.(?:js|css)$/.test(response.url())) sizes.push((await response.request().sizes()).responseBodySize);
    });
    tookMs.push(await arrivalMs(page));
    await page.waitForLoadState("networkidle");
    // Tries further cold browsers only when this one was too slow, because the machine may be busy.
    while (tookMs.length < 3 && Math.min(...tookMs) >= 1000) tookMs.push(await arrivalMs((await visitLater()).page));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    console.log(
      `dashboard: first page ${Math.min(...tookMs).toFixed(0)} ms, script and style ${(bytes / 1024).toFixed(0)} KB`,
    );
    expect(sizes.length).toBe(2);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(300_000);
    expect(Math.min(...tookMs)).toBeLessThan(1000);
    expect(await page.getByRole("link", { name: "Get the corresponding source" }).getAttribute("href")).toBe(
      "https://code.example.com/xpose",
    );
    expect(await context.cookies()).toEqual([]);
    expect(faults).toEqual([]);
  });

  test("a wrong token is distinguished from an outage, and is refused", async () => {
    const { page } = await arrive();
    await page.getByLabel("Operator token").fill("xpz_admin_wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("This token is not one of an operator.").waitFor();
    expect(await page.getByRole("navigation").count()).toBe(0);
  });

  test("an admin mints a key, copies it once, rotates it and revokes it", async () => {
    const { page, goTo, faults } = await enterAs(stage.admin);
    await goTo("Organization");
    await page.getByRole("tab", { name: "API Access (SIEM/SOAR)", selected: true }).waitFor();
    await page.getByText("No key yet").waitFor();
    await page.getByRole("button", { name: "Mint a key" }).click();
    await page.getByLabel("Name").fill("splunk");
    await page.getByRole("button", { name: "Mint", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "The new key" });
    await dialog.getByText("the only time the key is shown").waitFor();
    await dialog.getByRole("button", { name: "Copy key" }).click();
    await dialog.getByText("Copied").waitFor();
    const first = await clipboard(page);
    expect(first).toMatch(/^xpz_live_[0-9a-f]{48}$/);
    await dialog.getByRole("button", { name: "Copy curl line" }).click();
    await dialog.getByText("Copied").nth(1).waitFor();
    const line = await clipboard(page);
    expect(line).toContain(`X-API-Key: ${first}`);
    // Not with a blocking call, because this process answers for the sources.
    const curl = Bun.spawn(["sh", "-c", `${line} -s -o /dev/null -w '%{http_code}'`], { stdout: "pipe" });
    const status = await curl.stdout.text();
    if ((await curl.exited) !== 127) expect(status).toBe("200");
    // A slip on the Escape key must not lose the key.
    for (let count = 0; count < 3; count += 1) await page.keyboard.press("Escape");
    expect(await dialog.isVisible()).toBe(true);
    const asked = page.waitForEvent("dialog").then(async (question) => {
      await question.dismiss();
      return question.type();
    });
    await page.evaluate("void location.reload()");
    expect(await asked).toBe("beforeunload");
    expect(await dialog.isVisible()).toBe(true);
    await dialog.getByRole("button", { name: "I have stored it, close" }).click();
    await dialog.waitFor({ state: "detached" });
    expect(await page.content()).not.toContain(first.slice(13));
    expect(await statusOf(first)).toBeLessThan(300);

    await page.reload();
    await page
      .getByRole("row", { name: /splunk/ })
      .getByText("admin")
      .waitFor();
    await page.getByText("of 6,000").waitFor();
    await page.getByRole("button", { name: "Rotate splunk" }).click();
    const confirm = page.getByRole("dialog", { name: "Rotate this key?" });
    await confirm.getByText("splunk").waitFor();
    await confirm.getByText(/^just now \(\d{4}-/).waitFor();
    await confirm.getByRole("button", { name: "Rotate" }).click();
    const second = (await page.locator("[data-secret]").textContent()) ?? "";
    expect([await statusOf(first), second === first]).toEqual([401, false]);
    expect(await statusOf(second)).toBeLessThan(300);
    await page.getByRole("button", { name: "I have stored it, close" }).click();
    await page.getByText("1 rotation").waitFor();
    await page.getByLabel(/Show revoked and expired \(1\)/).check();
    expect(await page.getByRole("row", { name: /splunk/ }).count()).toBe(2);

    await page.getByRole("button", { name: "Revoke splunk" }).click();
    await page.getByRole("dialog", { name: "Revoke this key?" }).getByRole("button", { name: "Revoke" }).click();
    await page.getByText("0 active keys").waitFor();
    expect(await statusOf(second)).toBe(401);
    expect(faults).toEqual([]);
  });

  test("an admin mints a key with scopes, addresses and a last day, and the list shows them", async () => {
    const { page, goTo, faults } = await enterAs(stage.admin);
    await goTo("Organization");
    await page.getByRole("button", { name: "Mint a key" }).click();
    await page.getByLabel("Name").fill("graylog");
    await page.getByLabel("look addresses up and start scans").uncheck();
    await page.getByLabel("manage watch lists and read events").uncheck();
    const mint = page.getByRole("button", { name: "Mint", exact: true });
    // A key that may do nothing is none.
    expect(await mint.isDisabled()).toBe(true);
    await page.getByLabel("get results that are there, and start nothing").check();
    await page.getByLabel("Allowed addresses").fill("10.20.0.0/16, 127.0.0.1");
    await page.getByLabel("Expires").selectOption("on a date");
    await page.getByLabel("Stops working at the start of this day, UTC").fill("2097-03-01");
    await mint.click();
    const key = (await page.locator("[data-secret]").textContent()) ?? "";
    const asked = await client(stage.service.url, key).get("/api/v1/soc/whoami");
    expect(await asked.json()).toMatchObject({ key: { scopes: ["read"], expires_at: "2097-03-01T00:00:00+00:00" } });
    expect(await page.getByText("/api/v1/soc/whoami").count()).toBe(1);
    await page.getByRole("button", { name: "I have stored it, close" }).click();
    const row = page.getByRole("row", { name: /graylog/ });
    await row.getByText("from 10.20.0.0/16, 127.0.0.1/32").waitFor();
    await row.getByText("read", { exact: true }).waitFor();
    await row.getByText(/^in \d+ years$/).waitFor();

    await page.getByRole("button", { name: "Mint a key" }).click();
    await page.getByLabel("Name").fill("wrong");
    await page.getByLabel("Allowed addresses").fill("siem.example.com");
    await mint.click();
    await page.getByText("The allowed addresses of a key must be addresses or networks").waitFor();
    await page.getByLabel("Allowed addresses").fill("");
    await page.getByLabel("Expires").selectOption("in 90 days");
    await mint.click();
    await page.getByRole("button", { name: "I have stored it, close" }).click();
    await page.getByRole("row", { name: /wrong/ }).getByText("enrich, watch").waitFor();
    await page.getByRole("row", { name: /wrong/ }).getByText("from any address").waitFor();
    expect(faults.filter((fault) => !fault.includes("400"))).toEqual([]);
  });

  test("a look-up shows its sources one by one, the evidence, and a failed source first of all", async () => {
    const slow = Promise.withResolvers<void>();
    const answer = stage.upstreams.get("ticket-archive");
    stage.upstreams.set("ticket-archive", () => slow.promise.then(() => findings(paste)));
    const { page, goTo, faults } = await enterAs(stage.viewer);
    await goTo("Look-up");
    await page.getByLabel("Email address").fill(" Look.Up@EXAMPLE.com");
    await page.keyboard.press("Enter");
    await page.getByText("3 of 4 sources have ended").waitFor();
    expect(await page.locator(".run.waiting").innerText()).toContain("ticket-archive");
    slow.resolve();
    await page.getByRole("heading", { name: "look.up@example.com" }).waitFor();
    if (answer !== undefined) stage.upstreams.set("ticket-archive", answer);

    expect(await page.getByRole("alert").innerText()).toContain("1 of 4 sources failed: threat-portal.");
    expect(await page.locator(".run").first().innerText()).toMatch(/failed[\s\S]*threat-portal[\s\S]*http_5xx/);
    await page.getByText("no identity attribution").waitFor();
    const row = page.getByRole("row", { name: /Example Shop 2021 breach.*asset-register/ });
    expect((await row.innerText()).replaceAll(/\s+/g, " ")).toMatch(
      /high Present in the Example Shop 2021 breach breach · shop\.example asset-register intel\.example\.com .*medium 0\.60 no other \d{4}-/,
    );
    // An https provenance URL is a link, any other URL is text.
    expect(await page.locator("main a[href^='https:']").count()).toBe(1);
    expect(await page.locator("main a[href^='http:']").count()).toBe(0);
    await page.getByText("http://paste.internal/1").first().waitFor();
    await row.getByRole("button", { name: /^Details of/ }).press("Enter");
    await page.getByText("SHA-256 of the answer").waitFor();
    await page.getByRole("button", { name: "Copy as JSON" }).click();
    await page.getByText("Copied").waitFor();
    const copied = JSON.parse(await clipboard(page)) as { request_id: string; exposure: { total: number } };
    expect(copied.exposure.total).toBe(await page.getByRole("button", { name: /^Details of/ }).count());
    expect(await page.getByText(/^sha256:[0-9a-f]{64}$/).count()).toBe(1);
    const words = (await page.locator("body").innerText()).replace(/person-resolution gated.*identity attribution/, "");
    expect(words).not.toMatch(/verdict|\bscore|malicious|\brisk|\bperson|identity|candidate/i);
    expect(page.url()).not.toContain("look.up");
    expect(faults).toEqual([]);
  });

  test("an invalid address, and a scan without any answer, are explained", async () => {
    const { page, goTo } = await enterAs(stage.admin);
    await goTo("Look-up");
    await page.getByLabel("Email address").fill("nobody");
    await page.keyboard.press("Enter");
    await page.getByText("invalid_email").waitFor();
    const answers = new Map(stage.upstreams);
    stage.appliance.json("corpus", "remove", "example-shop");
    for (const name of answers.keys()) stage.upstreams.set(name, () => new Response("", { status: 502 }));
    await page.getByLabel("Email address").fill("down@example.com");
    await page.keyboard.press("Enter");
    await page.getByText("failed: no source answered").waitFor();
    for (const [name, answer] of answers) stage.upstreams.set(name, answer);
  });

  test("a viewer sees every page, but instead of keys only a hint to ask an admin", async () => {
    const { page, goTo, faults } = await enterAs(stage.viewer);
    for (const place of ["Overview", "Look-up", "Sources", "Corpora", "Audit", "Organization"]) await goTo(place);
    await page.getByText("Keys are managed by admins").waitFor();
    expect(await page.getByRole("button", { name: /Mint|Rotate|Revoke/ }).count()).toBe(0);
    await goTo("Audit");
    await page.getByText("workspace.session_started").first().waitFor();
    expect(faults).toEqual([]);
  });

  test("after the end of the session a new log-in leads back to the same page", async () => {
    const { page, context, goTo, logIn } = await arrive();
    await logIn(stage.viewer);
    await goTo("Audit");
    await page.getByText("workspace.session_started").first().waitFor();
    await page.waitForLoadState("networkidle");
    await context.clearCookies();
    await page.getByRole("link", { name: "Sources", exact: true }).click();
    await page.getByText("The session is over.").waitFor();
    await page.getByLabel("Operator token").fill(stage.viewer);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Sources" }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    expect(await context.cookies()).toEqual([]);
    await page.reload();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
  });

  test("a malformed answer breaks only its page", async () => {
    const { page, goTo } = await enterAs(stage.viewer);
    await page.route("**/dashboard/sources", (route) => route.fulfill({ json: { sources: 7 } }));
    await page.getByRole("link", { name: "Sources", exact: true }).click();
    await page.getByText("This page could not be drawn").waitFor();
    await goTo("Corpora");
    await page.unroute("**/dashboard/sources");
    await goTo("Sources");
    await page.getByText("xpose sources check").waitFor();
  });

  test("an outage is shown, and the page recovers when it is over", async () => {
    const { page, goTo } = await enterAs(stage.viewer);
    await page.route("**/dashboard/corpora", (route) => route.abort());
    await goTo("Corpora");
    await page.getByText("xpose does not answer").waitFor();
    await page.unroute("**/dashboard/corpora");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("xpose does not answer").waitFor({ state: "detached" });
  });

  test("below plan team the page explains the limits, and keys can only be revoked", async () => {
    const create = ["operators", "create", "--name", "Paula", "--role", "admin", "--workspace", "Poor"];
    const { token } = stage.appliance.json<{ token: string }>(...create);
    const { page, goTo } = await enterAs(token);
    await goTo("Organization");
    await page.getByText("API access needs plan team or above.").waitFor();
    expect(await page.getByRole("button", { name: "Mint a key" }).isDisabled()).toBe(true);
    expect(await page.getByRole("button", { name: "Rotate old" }).isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Revoke old" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByText("No key is active").waitFor();
  });

  test("the audit trail is filtered by key, paged and exported", async () => {
    const key = stage.appliance.mintKey("audited");
    for (let count = 0; count < 60; count += 1) await statusOf(key);
    const { page, goTo } = await enterAs(stage.admin);
    await goTo("Audit");
    await page.getByRole("button", { name: "audited" }).first().click();
    await expect.poll(() => page.getByRole("row").count()).toBe(51);
    await page.getByRole("button", { name: "Older" }).click();
    await page.getByText("Page 2").waitFor();
    await page.getByText("key.created").waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export as JSON Lines" }).click();
    const lines = readFileSync(await (await download).path(), "utf8")
      .trim()
      .split("\n");
    expect(lines).toHaveLength(61);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ key_name: "audited" });
  });

  test.each(["light", "dark"] as const)("every page is accessible, %s", async (theme) => {
    const { page, enterWith, goTo, faults } = await arrive({ theme });
    await expectAccessible(page, "log-in");
    await enterWith(await sessionOf(stage.admin));
    // The navigation is made from the list of pages in route.ts.
    const places = await page.getByRole("navigation", { name: "Pages" }).getByRole("link").allInnerTexts();
    expect(places.length).toBeGreaterThanOrEqual(6);
    for (const place of places.map((text) => text.trim())) {
      await goTo(place);
      await page.waitForLoadState("networkidle");
      await expectAccessible(page, place);
    }
    await goTo("Organization");
    await page.getByRole("button", { name: "Mint a key" }).click();
    await page.getByLabel("Name").fill(`axe ${theme}`);
    await expectAccessible(page, "mint");
    await page.getByRole("button", { name: "Mint", exact: true }).click();
    await page.getByRole("button", { name: "I have stored it, close" }).waitFor();
    await expectAccessible(page, "secret");
    await page.getByRole("button", { name: "I have stored it, close" }).click();
    await page.getByRole("button", { name: `Rotate axe ${theme}` }).click();
    await expectAccessible(page, "confirm");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("tab", { name: "Workspace" }).click();
    await expectAccessible(page, "workspace");
    await goTo("Look-up");
    await expectAccessible(page, "look-up");
    await page.getByLabel("Email address").fill("jane.doe@example.com");
    await page.keyboard.press("Enter");
    await page.getByText("Digest of the evidence").waitFor();
    await page
      .getByRole("button", { name: /^Details of/ })
      .first()
      .click();
    await expectAccessible(page, "evidence");
    expect(faults).toEqual([]);
  });

  test("the keyboard alone leads from the log-in to a confirmed revocation", async () => {
    stage.appliance.mintKey("by-keyboard");
    const { page } = await arrive();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.type(stage.admin);
    await page.keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    await tabTo(page, "Organization");
    await page.keyboard.press("Enter");
    await page.getByRole("tab", { selected: true }).waitFor();
    await tabTo(page, "API Access (SIEM/SOAR)");
    await page.keyboard.press("ArrowRight");
    await page.getByRole("tab", { name: "Workspace", selected: true }).waitFor();
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("button", { name: "Revoke by-keyboard" }).waitFor();
    await tabTo(page, "Revoke by-keyboard");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Revoke this key?" }).waitFor();
    await tabTo(page, "Revoke");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Revoke by-keyboard" }).waitFor({ state: "detached" });
  });

  test.each([1280, 400])("200 hostile texts run nowhere and break nothing in a window of %i", async (width) => {
    const { page, goTo, faults } = await enterAs(stage.admin, { width });
    await page.route("**/api/v1/**", answerHostile);
    for (const place of ["Overview", "Sources", "Corpora", "Audit", "Organization"]) {
      await goTo(place);
      await page.waitForLoadState("networkidle");
      await expectUnharmed(page, place);
    }
    await page
      .getByRole("button", { name: /^Revoke / })
      .first()
      .click();
    await expectUnharmed(page, "confirm");
    await page.getByRole("button", { name: "Cancel" }).click();
    await goTo("Look-up");
    await page.getByLabel("Email address").fill("jane.doe@example.com");
    await page.keyboard.press("Enter");
    await page.getByText("Digest of the evidence").waitFor();
    const more =
      "[...document.querySelectorAll('button')].find((one) => one.textContent.startsWith('Show more'))?.click()";
    const details = page.getByRole("button", { name: /^Details of/ });
    await expect
      .poll(
        async () => {
          await page.evaluate(more);
          return await details.count();
        },
        // On a busy machine a browser takes seconds to lay out 200 rows.
        { timeout: 10_000 },
      )
      .toBe(200);
    await page.evaluate("document.querySelectorAll('[aria-expanded=false]').forEach((button) => button.click())");
    await expectUnharmed(page, "evidence");
    expect(faults).toEqual([]);
  });
});

async function arrivalMs(page: Page): Promise<number> {
  const startedAt = performance.now();
  await page.goto("/");
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  return performance.now() - startedAt;
}

/** A browser with an empty profile. */
async function visitLater(): Promise<Visit> {
  const one = await visit(stage.service.url);
  visits.push(one);
  return one;
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function expectAccessible(page: Page, place: string): Promise<void> {
  type Violation = { id: string; impact: string; nodes: { html: string; failureSummary: string }[] };
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate<{ violations: Violation[] }>("axe.run()");
  const found = violations.map(
    ({ id, impact, nodes }) => `${place}: ${impact} ${id}: ${nodes.map(({ html }) => html).join(" | ")}`,
  );
  expect(found).toEqual([]);
}

/** Presses Tab until the element of this name has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  const focused = "(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()";
  for (let count = 0; count < 60; count += 1) {
    await page.keyboard.press("Tab");
    if ((await page.evaluate<string>(focused)) === name) return;
  }
  throw new Error(`the keyboard does not reach ${name}`);
}

async function expectUnharmed(page: Page, place: string): Promise<void> {
  await page.waitForTimeout(100);
  expect([place, await page.evaluate(`typeof globalThis.${trace}`)]).toEqual([place, "undefined"]);
  const excess = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
  expect([place, await page.evaluate(excess)]).toEqual([place, 0]);
  const links = await page.evaluate<string[]>("[...document.links].map((link) => link.getAttribute('href'))");
  expect(links.filter((href) => !/^(?:https:\/\/|#\/)/.test(href))).toEqual([]);
  // Invisible characters are shown by their code point, so no text can reverse or cover a line.
  const unseen = await page.evaluate<number[]>(
    "[...document.body.innerText.matchAll(/[[\\p{Cc}\\p{Cf}]--[\\n\\t]]|\\p{M}{5,}/gv)].map(([text]) => text.codePointAt(0))",
  );
  expect([place, unseen]).toEqual([place, []]);
  const foreign =
    "document.querySelectorAll('main script, main iframe, main img, main style, main base, main link').length";
  expect(await page.evaluate(foreign)).toBe(0);
}

const at = "2026-05-02T09:14:00+00:00";
const noRuns = { ok: 0, no_data: 0, failed: 1, skipped: 0 };
const hostileDay = (source: string) => ({
  source,
  outcomes: noRuns,
  by_hour: Array.from({ length: 24 }, () => noRuns),
  mean_ms: 1,
  last: { outcome: "failed", error: source, at, quota_left: null },
});
const hostileCorpus = (name: string) => ({
  name,
  scope: "all",
  confidence: 0.75,
  origin: name,
  records: 1,
  bytes: 1,
  imports: [{ file_name: name, format: name, importer: name, read: 1, records: 1, imported_at: at, sha256: name }],
});

/** Replaces untrusted texts in real answers by hostile texts, so that the test does not rely on our server. */
async function answerHostile(route: Route): Promise<void> {
  const path = new URL(route.request().url()).pathname.replace("/api/v1", "");
  const body = hostileBodies(path, route.request().method());
  if (body === undefined) return await route.continue();
  if ("from" in body) {
    const response = await route.fetch();
    return await route.fulfill({ response, json: { ...((await response.json()) as object), ...body.from } });
  }
  await route.fulfill({ json: body, headers: { "X-Xpose-Exposure-Digest": `sha256:${"x".repeat(10_000)}` } });
}

function hostileBodies(path: string, method: string): { from: object } | object | undefined {
  const keys = hostileTexts.map((name, index) => ({
    id: `k${index}`,
    name,
    prefix: name.slice(0, 40),
    status: "active",
    created_at: at,
    created_by: `operator:${name}`,
    last_used_at: at,
    expires_at: null,
    revoked_at: null,
    rotated_from: index === 0 ? null : `k${index - 1}`,
    rotated_to: `k${index + 1}`,
    scopes: ["enrich"],
    allowed_ips: [name, name],
  }));
  const found = hostileTexts.map((text) => ({
    source: text,
    source_url: text,
    source_confidence: 0.5,
    source_tier: "low",
    corroboration_count: 2,
    corroborated_by: [text],
    category: text,
    severity: "high",
    title: text,
    first_seen: at,
    last_seen: at,
    subject: text,
    details: { [text]: { [text]: [text, { url: text }] } },
    answered_at: at,
    answer_sha256: text,
  }));
  const runs = hostileTexts.map((source) => ({
    source,
    outcome: "failed",
    findings: 0,
    duration_ms: 1,
    error: source,
    missing: [source],
  }));
  const event = { workspace_id: null, request_id: null, ip: null, correlation_id: null, indicator_hmac: null };
  const events = hostileTexts.map((text) => ({
    ...event,
    at,
    actor: text,
    action: text,
    key_id: text,
    key_name: text,
    outcome: text.slice(0, 20),
    detail: text,
  }));
  const [first = ""] = hostileTexts;
  if (path.endsWith("/evidence")) return { request_id: "r", findings: found };
  if (path.startsWith("/dashboard/enrich/")) return { request_id: "r", status: "completed", sources: runs };
  if (path === "/dashboard/enrich" && method === "POST") {
    return {
      request_id: first,
      status: "completed",
      cache: "hit",
      indicator: { type: "email", value: hostileTexts.find((text) => text.length > 10_000) ?? first },
      exposure: { total: found.length, by_severity: { high: found.length } },
      disambiguation: { required: true, reason: first },
    };
  }
  if (path.endsWith("/keys")) return { keys, next_cursor: null };
  if (path.endsWith("/audit")) return { events, next_cursor: null };
  if (path === "/dashboard/overview") {
    return {
      from: { sources: hostileTexts.map(hostileDay), corpora: hostileTexts.map(hostileCorpus), version: first },
    };
  }
  if (path === "/dashboard/corpora") return { corpora: hostileTexts.map(hostileCorpus) };
  if (path === "/dashboard/sources") {
    const settings = { state: "enabled", confidence: 0.5, timeout_ms: 1 };
    return {
      sources: hostileTexts.map((name) => ({ name, kind: name, origin: name, ...settings, day: hostileDay(name) })),
    };
  }
  return undefined;
}
