import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeService, goodKey, startFakeService } from "./fake-service.ts";
import { type Event, parseFilter, runFilter } from "./logstash-filter.ts";
import { forbiddenWords, outcomes, slow } from "./outcomes.ts";
import { folderOf } from "./run-driver.ts";

const read = (file: string) => readFileSync(`${folderOf("elastic")}${file}`, "utf8");
const steps = parseFilter(read("xpose.conf"));

let service: FakeService;
beforeAll(() => {
  service = startFakeService();
});
afterAll(() => service.stop());

const run = (event: Event, key = goodKey) => runFilter(steps, event, { XPOSE_URL: service.url, XPOSE_API_KEY: key });
const eventOf = (email: string): Event => ({ tags: [], user: { email } });

test.each(outcomes.filter(({ email }) => !/^(?:limited-short|huge|high|failed)@/.test(email)))(
  "$name: numbers, or a tag that says otherwise",
  async ({ email, key, expected, code }) => {
    const event = await run(eventOf(email), key);
    const found = event["xpose"] as { headline: string | null; total: number | null; status: string } | undefined;
    if ("headline" in expected) {
      expect(found?.headline).toBe(expected.headline);
      expect(event.tags).toEqual(expected.headline.includes("could not look") ? ["_xpose_incomplete"] : []);
    } else if (code === "scan_failed") {
      expect(found).toMatchObject({ status: "failed", total: null, headline: null });
      expect(event.tags).toEqual(["_xpose_incomplete"]);
    } else {
      expect(found).toBeUndefined();
      expect(event.tags).toContain("_xpose_could_not_look");
      expect(event.tags).toContain("_xpose_incomplete");
    }
    expect(JSON.stringify(event)).not.toMatch(forbiddenWords);
    expect(JSON.stringify(event)).not.toContain("xpz_live_");
  },
);

test("a scan that is not done has no number and is tagged", async () => {
  const event = await run(eventOf(slow.email));
  expect(event["xpose"]).toMatchObject({ status: "scanning", total: null });
  expect(event.tags).toEqual(["_xpose_incomplete"]);
});

test("an event without an address asks nothing; an away service is a tag", async () => {
  const before = service.calls.length;
  expect((await run({ tags: [] })).tags).toEqual([]);
  expect(service.calls.length).toBe(before);
  const event = await runFilter(steps, eventOf("nothing@example.com"), {
    XPOSE_URL: "http://127.0.0.1:9",
    XPOSE_API_KEY: goodKey,
  });
  expect(event.tags).toEqual(["_xpose_could_not_look", "_xpose_incomplete"]);
});

test("the key goes to the service alone, and the wait is short", () => {
  expect(service.keysSeenElsewhere).toEqual([]);
  for (const { headers } of service.calls) expect(headers["prefer"]).toBe("wait=3");
});

test("the index template types every field of the ecs export", () => {
  const template = JSON.parse(read("index-template.json"));
  expect(template).toMatchObject({ index_patterns: ["logs-xpose.exposure-*"], data_stream: {} });
  const paths = (properties: Record<string, { type?: string; properties?: never }>, above = ""): string[] =>
    Object.entries(properties).flatMap(([name, field]) =>
      field.properties === undefined ? [`${above}${name}`] : paths(field.properties, `${above}${name}.`),
    );
  const typed = paths(template.template.mappings.properties);
  const finding =
    "source source_url source_confidence source_tier corroboration_count corroborated_by category severity title indicator_type indicator_value first_seen last_seen";
  expect(typed).toEqual(
    expect.arrayContaining([
      ..."@timestamp message ecs.version event.id event.kind event.dataset event.provider event.reference event.outcome event.reason user.email related.user labels.tlp xpose.request_id xpose.digest xpose.reach xpose.partial xpose.failed_sources".split(
        " ",
      ),
      ...finding.split(" ").map((name) => `xpose.finding.${name}`),
    ]),
  );
  expect(typed.filter((path) => path.startsWith("threat."))).toEqual([]);
});

test("the saved objects are a data view and a table of it", () => {
  const rows = read("saved-objects.ndjson")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(rows.map(({ type }) => type)).toEqual(["index-pattern", "search", undefined]);
  expect(rows[1].references[0].id).toBe(rows[0].id);
  expect(rows[2].exportedCount).toBe(2);
});
