import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { caseFor, type FakeService, flatOf, goodKey, startFakeService } from "./fake-service.ts";
import { forbiddenWords, outcomes } from "./outcomes.ts";
import { folderOf } from "./run-driver.ts";

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly default?: unknown;
  readonly [name: string]: unknown;
};
type Parameter = Schema & {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
};
type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly responses: Readonly<Record<string, { readonly schema?: Schema }>>;
};

const read = (file: string) => readFileSync(`${folderOf("sentinel")}${file}`, "utf8");
const definition = JSON.parse(read("apiDefinition.swagger.json"));
const operations = Object.entries(definition.paths as Record<string, Record<string, Operation>>).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);
const byId = (id: string) => {
  const found = operations.find(({ operation }) => operation.operationId === id);
  if (found === undefined) throw new Error(`there is no ${id}`);
  return found;
};

let service: FakeService;
beforeAll(() => {
  service = startFakeService();
});
afterAll(() => service.stop());

/** Hidden parameters with their constants, as the designer fills them in. */
function constants(operation: Operation, place: string): [string, string][] {
  return operation.parameters
    .filter((parameter) => parameter.in === place && parameter["x-ms-visibility"] === "internal")
    .map(({ name, default: value }) => [name, String(value)]);
}

/**
 * Runs LookUpExposure as a Logic App does, by the definition alone: an answer 202 with a Location is asked again, any
 * other status is the answer, whatever its body says.
 */
async function lookUp(
  email: string,
  key: string,
  turns = 6,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const { path, method, operation } = byId("LookUpExposure");
  const query = new URLSearchParams(constants(operation, "query"));
  const [, type] = Object.entries(
    operation.parameters.find(({ name }) => name === "body")?.schema?.properties?.["indicator"]?.properties ?? {},
  ).find(([name]) => name === "type") ?? ["", {}];
  const headers = { [definition.securityDefinitions.api_key.name]: key, "Content-Type": "application/json" };
  let response = await fetch(`${service.url}${path}?${query}`, {
    method,
    headers,
    redirect: "manual",
    body: JSON.stringify({ indicator: { type: type.default, value: email } }),
  });
  for (let turn = 0; response.status === 202 && turn < turns; turn += 1) {
    const location = new URL(response.headers.get("location") ?? "", service.url);
    response = await fetch(location, { headers, redirect: "manual" });
  }
  return {
    status: response.status,
    body: ((await response.json().catch(() => null)) ?? {}) as Record<string, unknown>,
  };
}

test.each(outcomes.filter(({ email }) => !/^(?:limited-short|huge)@/.test(email)))(
  "$name: typed fields, or an error status",
  async ({ email, key, expected, code }) => {
    const { status, body } = await lookUp(email, key);
    if ("headline" in expected) {
      expect(status).toBe(200);
      expect(body).toEqual(flatOf(caseFor(email)));
      expect(body["headline"]).toBe(expected.headline);
    } else if (code === "scan_failed") {
      expect(body).toMatchObject({ status: "failed", total: null, headline: null });
    } else {
      expect(body["status"]).not.toBe("completed");
      expect(body["total"]).toBeUndefined();
    }
    expect(JSON.stringify(body)).not.toMatch(forbiddenWords);
  },
);

test("a slow scan keeps the engine waiting by 202", async () => {
  expect((await lookUp("slow@example.com", goodKey)).status).toBe(202);
});

test("the 200 of LookUpExposure types every key of the flat view, in its order", () => {
  const schema = definition.definitions.FlatExposure as Schema;
  expect(byId("LookUpExposure").operation.responses["200"]?.schema).toEqual({ $ref: "#/definitions/FlatExposure" });
  expect(Object.keys(schema.properties ?? {})).toEqual(Object.keys(flatOf(caseFor("high@example.com"))));
  for (const property of Object.values(schema.properties ?? {})) expect(typeof property["type"]).toBe("string");
});

test("the definition keeps to what OpenAPI 2.0 and the designer know", () => {
  expect(definition.swagger).toBe("2.0");
  const text = JSON.stringify(definition);
  expect(text).not.toMatch(/"(?:oneOf|anyOf|nullable|const)":|"type":\[/);
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(ids.toSorted()).toEqual(
    "AddToWatch BulkLookUp ExportCase GetBulk GetCase ListEvents LookUpExposure TestConnection".split(" "),
  );
  for (const { operation } of operations) {
    expect(operation.summary.length * operation.description.length).toBeGreaterThan(0);
    for (const status of operation.operationId === "TestConnection"
      ? ["200", "401", "403"]
      : ["200", "400", "401", "403", "404", "422", "429"]) {
      expect(operation.responses[status]?.schema, `${operation.operationId} ${status}`).toBeDefined();
    }
  }
  const references = [...text.matchAll(/"\$ref":"#\/definitions\/(\w+)"/g)].map(([, name]) => name ?? "");
  expect(references.filter((name) => definition.definitions[name] === undefined)).toEqual([]);
  const properties = JSON.parse(read("apiProperties.json")).properties;
  expect(properties.connectionParameters.api_key.type).toBe("securestring");
});

test("the templates embed the definition, take the key as a secure string, and decide nothing", () => {
  const template = JSON.parse(read("azuredeploy.json"));
  const { swagger } = template.resources[0].properties;
  expect(swagger.paths).toEqual(definition.paths);
  expect([swagger.host, swagger.schemes]).toEqual(["[parameters('serviceHost')]", ["[parameters('serviceScheme')]"]]);
  const text = read("playbooks/Xpose-EnrichIncidentAccounts/azuredeploy.json");
  const playbook = JSON.parse(text);
  expect(playbook.parameters.ApiKey.type).toBe("securestring");
  const actions = [...text.matchAll(/"path": "([^"]+)"/g)].map(([, path]) => path);
  expect(actions.toSorted()).toEqual(
    [
      "/Incidents/Comment",
      "/Incidents/Comment",
      "/Incidents/Comment",
      "/api/v1/soc/enrich",
      "/entities/account",
      "/incident-creation",
    ].toSorted(),
  );
  expect(text).toContain("xpose could not look: ");
  expect(text).not.toMatch(/"method": "(?:put|patch|delete)"|severity"|Closed/i);
});
