/**
 * Takes the picture of the README: `bun scripts/screenshots.ts`. Starts the built executable with the corpora of the
 * quickstart and two invented in-house sources, looks up an invented address, and takes a screenshot. Needs `npm run
 * build` and Debian's `chromium`; uses no network.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { findings, openStage, startSession, visit } from "../test/helpers/dashboard-stage.ts";

const root = join(import.meta.dir, "..");
const images = join(root, "docs", "images");
const corpora = {
  "example-shop": join(root, "scripts", "quickstart", "example-shop-2021.csv"),
  "example-forum": join(root, "scripts", "quickstart", "forum-accounts.jsonl"),
};
const size = { width: 1280, height: 960 };

await using stage = await openStage(
  {
    "ticket-archive": () =>
      findings({ title: "Named in a phishing report", category: "threat_intel", severity: "medium", date: "2026-03" }),
    // Fails, so that the picture shows a failed source.
    "threat-portal": () => new Response("{}", { status: 503, headers: { "Content-Type": "application/json" } }),
  },
  (appliance) => {
    for (const [name, file] of Object.entries(corpora)) appliance.json("corpus", "import", file, "--name", name);
  },
);
await using browser = await visit(stage.service.url, size);
const { page, enterWith, goTo, faults } = browser;
await enterWith(await startSession(stage.service.url, stage.viewer));
await goTo("Look-up");
await page.getByLabel("Email address").fill("jane.doe@example.com");
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "jane.doe@example.com", exact: true }).waitFor();
await page.getByRole("row", { name: /Example Shop 2021 breach/ }).waitFor();
// A good picture must not hide CSP violations or script errors.
if (faults.length > 0) throw new Error(faults.join("\n"));
mkdirSync(images, { recursive: true });
await page.screenshot({ path: join(images, "dashboard.png"), animations: "disabled" });
console.log("docs/images/dashboard.png");
