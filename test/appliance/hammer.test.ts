import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Appliance, type Service } from "../helpers/appliance.ts";

type KeyBody = { id: string; key: string };
type Answer = {
  readonly correlationId: string;
  readonly who: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly status: number;
  readonly sources: readonly string[];
};

const connectionCount = 64;
const addressCount = 200;
const limit = 1_000_000;

/** A breach file with all addresses. */
function leak(appliance: Appliance, name: string): string {
  const file = join(appliance.folder, `${name}.csv`);
  const lines = Array.from({ length: addressCount }, (_, index) => `user${index}@example.com`);
  writeFileSync(file, `email\n${lines.join("\n")}\n`);
  return file;
}

/** Sends requests without pause on 64 connections until it is stopped. A request that the kill cuts has no answer. */
function hammer(url: string, keys: Readonly<Record<string, KeyBody>>) {
  const answers: Answer[] = [];
  const names = Object.keys(keys);
  let isOver = false;
  let count = 0;

  async function ask(): Promise<void> {
    const number = count++;
    const who = names[number % names.length] ?? "";
    const correlationId = `hammer-${number}`;
    const startedAt = performance.now();
    const response = await fetch(`${url}/api/v1/soc/enrich`, {
      method: "POST",
      headers: {
        "X-API-Key": keys[who]?.key ?? "",
        "X-Correlation-Id": correlationId,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ indicator: { type: "email", value: `user${number % addressCount}@example.com` } }),
    });
    const body = (await response.json()) as { exposure?: { findings: { source: string }[] } };
    const sources = body.exposure?.findings.map(({ source }) => source) ?? [];
    answers.push({ correlationId, who, startedAt, endedAt: performance.now(), status: response.status, sources });
  }

  const done = Promise.all(
    Array.from({ length: connectionCount }, async () => {
      // The kill closes the connections. Unanswered requests promised nothing.
      while (!isOver) await ask().catch(() => (isOver = true));
    }),
  );
  return { answers, stop: () => (isOver = true), done };
}

/** The times when a change was sent and when it was confirmed. */
async function during(work: () => unknown): Promise<{ sentAt: number; confirmedAt: number }> {
  const sentAt = performance.now();
  await work();
  return { sentAt, confirmedAt: performance.now() };
}

test("under fire, while keys are revoked, plans changed, corpora imported and the process killed, every answer is right and the trail holds it", async () => {
  await using appliance = new Appliance();
  const { operator_token: token, workspace_id: workspaceId } = appliance.json<Record<string, string>>("init");
  appliance.json("workspaces", "create", "--name", "cheap");
  appliance.json("corpus", "import", leak(appliance, "first"), "--name", "first");
  const keys = {
    steady: appliance.json<KeyBody>("keys", "create", "--name", "steady"),
    revoked: appliance.json<KeyBody>("keys", "create", "--name", "revoked"),
    cheap: appliance.json<KeyBody>("keys", "create", "--name", "cheap", "--workspace", "cheap"),
  };
  const env = { XPOSE_RATE_LIMIT_TEAM: String(limit), XPOSE_RATE_LIMIT_ENTERPRISE: String(limit) };
  const service: Service = await appliance.serve({ env });
  const { answers, done } = hammer(service.url, keys);
  await Bun.sleep(1_000);
  const revocation = await during(() =>
    fetch(`${service.url}/api/v1/workspaces/${workspaceId}/keys/${keys.revoked.id}`, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${token}` },
    }),
  );
  const downgrade = await during(() => appliance.runBeside(["workspaces", "set-plan", "cheap", "free"]));
  await Bun.sleep(300);
  const upgrade = await during(() => appliance.runBeside(["workspaces", "set-plan", "cheap", "team"]));
  const second = leak(appliance, "second");
  const imported = await during(() => appliance.runBeside(["corpus", "import", second, "--name", "second"]));
  await Bun.sleep(1_000);
  service.kill("SIGKILL");
  await service.exited;
  await done;

  expect(answers.length).toBeGreaterThan(2_000);
  const wrong = answers.filter(({ who, startedAt, endedAt, status, sources }) => {
    const isSure = (change: { sentAt: number; confirmedAt: number }) =>
      endedAt < change.sentAt ? "before" : startedAt > change.confirmedAt ? "after" : "between";
    const isServed = status === 200 || status === 202;
    if (who === "revoked") {
      const when = isSure(revocation);
      return when === "before" ? !isServed : when === "after" ? status !== 401 : !isServed && status !== 401;
    }
    if (who === "cheap") {
      if (isSure(downgrade) === "before" || isSure(upgrade) === "after") return !isServed;
      return isSure(downgrade) === "after" && isSure(upgrade) === "before" ? status !== 403 : false;
    }
    // After the import has returned, no answer may use the old data.
    const mustHave = isSure(imported) === "after" && status === 200 ? ["first", "second"] : [];
    return !isServed || mustHave.some((source) => !sources.includes(source));
  });
  expect(wrong.slice(0, 3)).toEqual([]);
  expect(answers.some(({ who, status }) => who === "revoked" && status === 401)).toBe(true);
  expect(answers.some(({ who, status }) => who === "cheap" && status === 403)).toBe(true);
  expect(answers.some(({ sources }) => sources.includes("second"))).toBe(true);

  // After the kill: the trail is whole and has every request that was answered, each once.
  const again = await appliance.serve({ env });
  expect(appliance.json("audit", "verify")).toMatchObject({ ok: true });
  const events = appliance
    .run(["audit", "export"])
    .stdout.trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { action: string; key_id: string; correlation_id: string });
  const requested = events.filter(({ action }) => action === "enrich.requested");
  const written = new Set(requested.map(({ correlation_id }) => correlation_id));
  expect(written.size).toBe(requested.length);
  const served = answers.filter(({ status }) => status === 200 || status === 202);
  expect(served.filter(({ correlationId }) => !written.has(correlationId))).toEqual([]);

  // The counter equals the number of events in the trail.
  const next = await fetch(`${again.url}/api/v1/soc/enrich`, {
    method: "POST",
    headers: { "X-API-Key": keys.steady.key, "Content-Type": "application/json" },
    body: JSON.stringify({ indicator: { type: "email", value: "user0@example.com" } }),
  });
  const steady = requested.filter(({ key_id }) => key_id === keys.steady.id).length;
  expect(Number(next.headers.get("X-RateLimit-Remaining"))).toBe(limit - steady - 1);
});
