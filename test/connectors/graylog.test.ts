import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { caseFor, type FakeService, flatOf, goodKey, startFakeService, unknownKey } from "./fake-service.ts";
import { forbiddenWords, outcomes } from "./outcomes.ts";
import { folderOf } from "./run-driver.ts";

type Reference = { readonly "@type": string; readonly "@value": string | number | boolean };
type Entity = { readonly id: string; readonly type: { readonly name: string }; readonly data: Record<string, unknown> };

const text = readFileSync(`${folderOf("graylog")}content-pack.json`, "utf8");
const pack = JSON.parse(text) as { parameters: { name: string }[]; entities: Entity[] };
const entity = (type: string) => {
  const found = pack.entities.find(({ type: { name } }) => name === type);
  if (found === undefined) throw new Error(`the pack has no ${type}`);
  return found;
};
const configurationOf = (type: string) => entity(type).data["configuration"] as Record<string, Reference>;

let service: FakeService;
beforeAll(() => {
  service = startFakeService();
});
afterAll(() => service.stop());

type Result = { readonly error: true } | { readonly single: unknown; readonly multi: Record<string, unknown> };

/** One look-up as Graylog's HTTP JSONPath adapter does it: GET, every 2xx is the answer, a null is an error. */
async function lookUp(email: string, key = goodKey): Promise<Result> {
  const parameters: Record<string, string> = { XPOSE_URL: service.url, XPOSE_API_KEY: key };
  const {
    url,
    headers,
    single_value_jsonpath: single,
    multi_value_jsonpath: multi,
    user_agent,
  } = configurationOf("lookup_adapter");
  const fill = (value: Reference | undefined) =>
    value?.["@type"] === "parameter" ? (parameters[String(value["@value"])] ?? "") : String(value?.["@value"]);
  const encoded = encodeURIComponent(email);
  const target = fill(url)
    .replace(/\$\{XPOSE_URL\}/, service.url)
    .replace(/\$\{key\}/, encoded);
  const own = Object.entries(headers as unknown as Record<string, Reference>).map(([name, value]) => [
    name,
    fill(value),
  ]);
  const response = await fetch(target, {
    redirect: "manual",
    headers: { "User-Agent": fill(user_agent), Accept: "application/json", ...Object.fromEntries(own) },
  });
  if (response.status < 200 || response.status > 299) return { error: true };
  expect([fill(single), fill(multi)]).toEqual(["$.headline", "$"]);
  const body = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  const value = body?.["headline"];
  return body !== null && typeof value === "string" ? { single: value, multi: body } : { error: true };
}

test.each(outcomes.filter(({ email }) => !/^(?:limited-short|huge|redirect|high)@/.test(email)))(
  "$name: a headline or an error",
  async ({ email, key, expected }) => {
    const result = await lookUp(email, key);
    if ("headline" in expected) expect(result).toMatchObject({ single: expected.headline });
    else expect(result).toEqual({ error: true });
    expect(JSON.stringify(result)).not.toMatch(forbiddenWords);
  },
);

test("a scan that is not done is an error, not a value that lives in the cache", async () => {
  expect(await lookUp("slow@example.com")).toEqual({ error: true });
  expect(service.calls.at(-1)?.path).toContain("view=flat&on_pending=503");
});

test("the multi value is the whole flat object", async () => {
  const result = await lookUp("partial@example.com");
  expect(result).toMatchObject({ multi: flatOf(caseFor("partial@example.com")) });
});

test("a wrong key is an error, and no key stands in the pack", async () => {
  expect(await lookUp("nothing@example.com", unknownKey)).toEqual({ error: true });
  expect(text).not.toMatch(/xpz_live_/);
});

test("the table names the adapter and the cache, whose entries end after they were written", () => {
  expect(entity("lookup_table").data).toMatchObject({
    data_adapter_name: { "@value": entity("lookup_adapter").id },
    cache_name: { "@value": entity("lookup_cache").id },
  });
  expect(configurationOf("lookup_cache")).toMatchObject({
    type: { "@value": "guava_cache" },
    max_size: { "@value": 10000 },
    expire_after_access: { "@value": 0 },
    expire_after_write: { "@value": 900 },
    ignore_null: { "@value": true },
  });
  expect(pack.parameters.map(({ name }) => name)).toEqual(["XPOSE_URL", "XPOSE_API_KEY"]);
});
