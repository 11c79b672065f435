import { writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { Appliance, client, type Service } from "../helpers/appliance.ts";
import { watchHealth } from "../helpers/health-watch.ts";

const corpusCount = 32;
const recordsPerCorpus = 1_000;
const heavy = "victim@example.com";

/** A reader that holds the pipe of the log and takes nothing. */
const stalledLog = `exec "$0" "$@" 2> >(exec sleep 60 > /dev/null 2>&1)`;

/**
 * The longest answer of /healthz that is allowed. Where more processes want to run than there are cores, the service waits
 * for its core too: the limit grows with the load per core.
 */
function limitMs(): number {
  const [load = 0] = loadavg();
  return 200 * Math.max(1, load / availableParallelism());
}

/** A data directory in which one address has a thousand records in each of 32 corpora, and a workspace beside it. */
function fill(appliance: Appliance): { key: string; otherKey: string; token: string } {
  const key = appliance.initialise();
  for (let corpus = 0; corpus < corpusCount; corpus += 1) {
    const file = join(appliance.folder, `leak-${corpus}.csv`);
    const rows = Array.from({ length: recordsPerCorpus }, (_, row) => {
      const subject = `shop-${row}.example`;
      return `${heavy},breach,${row % 3 === 0 ? "high" : "low"},Present in ${subject},${subject},https://${subject}/${corpus},2021-03-04`;
    });
    writeFileSync(file, `email,category,severity,title,subject,source_url,date\n${rows.join("\n")}\n`);
    appliance.json("corpus", "import", file, "--name", `leak-${corpus}`);
  }
  appliance.json("workspaces", "create", "--name", "other");
  const otherKey = appliance.mintKey("other", "other");
  const { token } = appliance.json<{ token: string }>("operators", "create", "--name", "alice", "--role", "admin");
  return { key, otherKey, token };
}

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
}

/** Does `work` again and again, one after the other, until `isOver`; returns how long each took, in milliseconds. */
async function repeatedly(isOver: () => boolean, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  while (!isOver()) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return times;
}

describe("an address with 32,000 records", () => {
  const appliance = new Appliance();
  let known: ReturnType<typeof fill>;
  let service: Service;

  beforeAll(async () => {
    known = fill(appliance);
    service = await appliance.serve({ shell: stalledLog });
    return () => appliance[Symbol.asyncDispose]();
  }, 180_000);

  test("is scanned without holding up the service, and its envelope is capped", async () => {
    const { enrich, get, settle } = client(service.url, known.key);
    const watch = watchHealth(service.url);
    const accepted = await enrich(heavy);
    expect(accepted.status).toBe(202);
    const { request_id: id } = (await accepted.json()) as { request_id: string };
    await settle(id);
    expect(await watch.stop()).toBeLessThan(limitMs());
    const response = await get(`/api/v1/soc/enrich/${id}`);
    const { exposure } = (await response.json()) as { exposure: { findings: { severity: string }[]; total: number } };
    expect([exposure.findings.length, exposure.total]).toEqual([2000, 2000]);
    expect(new Set(exposure.findings.map(({ severity }) => severity))).toEqual(new Set(["high"]));
    expect(response.headers.get("X-Xpose-Findings-Omitted")).toBe("30000");
    const { sources } = (await (await get(`/api/v1/soc/enrich/${id}/sources`)).json()) as {
      sources: { omitted: number }[];
    };
    expect(sources.reduce((sum, { omitted }) => sum + omitted, 0)).toBe(30_000);
  });

  test("is served again and again without starving the hits of another workspace", async () => {
    const { enrich, get } = client(service.url, known.key);
    const { request_id: id } = (await (await enrich(heavy)).json()) as { request_id: string };
    const other = client(service.url, known.otherKey);
    const small = "jane.doe@example.com";
    const first = (await (await other.enrich(small)).json()) as { request_id: string };
    await other.settle(first.request_id);
    const headers = { Authorization: `Bearer ${known.token}` };
    const workspaces = appliance.json<{ id: string; name: string }[]>("workspaces", "list");
    const workspace = workspaces.find(({ name }) => name === "default")?.id;

    const watch = watchHealth(service.url);
    let isOver = false;
    const work = async (path: () => Promise<Response>) => void (await (await path()).arrayBuffer());
    const over = () => isOver;
    const load = Promise.all([
      ...Array.from({ length: 4 }, () => repeatedly(over, () => work(() => enrich(heavy)))),
      repeatedly(over, () => work(() => get(`/api/v1/soc/enrich/${id}/evidence`))),
      repeatedly(over, () => work(() => get(`/api/v1/soc/enrich/${id}/case`))),
      repeatedly(over, () =>
        work(() => fetch(`${service.url}/api/v1/workspaces/${workspace}/audit?limit=100`, { headers })),
      ),
    ]);
    const end = performance.now() + 3_000;
    const times = await repeatedly(
      () => performance.now() > end,
      () => work(() => other.enrich(small)),
    );
    isOver = true;
    const heavyTimes = await load;
    expect(await watch.stop()).toBeLessThan(limitMs());
    expect(heavyTimes.flat().length).toBeGreaterThan(10);
    expect(percentile(times, 0.99)).toBeLessThan(limitMs());
  });

  test("is removed by retention without holding up the service", async () => {
    service.kill("SIGTERM");
    expect(await service.exited).toBe(0);
    const file = join(appliance.folder, "short.toml");
    writeFileSync(file, '[cache]\nttl = "1s"\npartial_ttl = "1s"\n[scan]\nretention = "1s"\nledger_retention = "1s"\n');
    const again = await appliance.serve({ args: ["--config", file], shell: stalledLog });
    const watch = watchHealth(again.url);
    await Bun.sleep(3_000);
    expect(await watch.stop()).toBeLessThan(limitMs());
  });
});
