import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FakeService, goodKey, startFakeService } from "./fake-service.ts";
import { forbiddenWords, outcomes } from "./outcomes.ts";
import { folderOf } from "./run-driver.ts";

/** Shuffle and Tines do not run here: the tests read the files and follow them. */
let service: FakeService;
beforeAll(() => {
  service = startFakeService();
});
afterAll(() => service.stop());

const table = outcomes.filter(({ email }) => !/^(?:limited-short|huge|redirect)@/.test(email));

describe("shuffle", () => {
  const read = (file: string) => JSON.parse(readFileSync(`${folderOf("shuffle")}${file}`, "utf8"));
  const document = read("openapi.json");
  const workflow = read("workflow.json");

  test("the document is OpenAPI 3.0 with one security scheme, a variable for the URL, and examples", () => {
    expect(document.openapi).toMatch(/^3\.0\./);
    expect(Object.keys(document.components.securitySchemes)).toEqual(["api_key"]);
    expect(document.servers).toMatchObject([
      { url: "{url}", variables: { url: { default: "https://xpose.example.com" } } },
    ]);
    const text = JSON.stringify(document);
    expect(text).not.toMatch(/"x-ms|"swagger"|"type":\[|#\/definitions/);
    for (const methods of Object.values(
      document.paths as Record<
        string,
        Record<string, { requestBody?: { content: Record<string, { example?: object }> } }>
      >,
    )) {
      for (const { requestBody } of Object.values(methods)) {
        if (requestBody !== undefined) expect(requestBody.content["application/json"]?.example).toBeDefined();
      }
    }
  });

  test.each(table)("$name: the branch of the evidence, or the other one", async ({ email, key, expected, code }) => {
    type Action = { id: string; label: string; name: string; parameters: { name: string; value: string }[] };
    const [lookUp, ...others] = workflow.actions as Action[];
    const parameter = (action: Action | undefined, name: string) =>
      action?.parameters.find((row) => row.name === name)?.value ?? "";
    const headers = Object.fromEntries(
      parameter(lookUp, "headers")
        .split("\n")
        .map((line) => line.split(": ")),
    );
    const { operationId } = document.paths["/api/v1/soc/enrich"].post;
    expect([lookUp?.name, operationId]).toEqual(["post_look_up_exposure", "LookUpExposure"]);
    const response = await fetch(`${service.url}/api/v1/soc/enrich?${parameter(lookUp, "queries")}`, {
      method: "POST",
      headers: { ...headers, "X-API-Key": key },
      body: parameter(lookUp, "body").replace("$exec.email", email),
    });
    const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    type Branch = {
      destination_id: string;
      conditions: { condition: { value: string }; destination: { value: string } }[];
    };
    const taken = (workflow.branches as Branch[]).find(
      ({ conditions: [condition] }) =>
        (condition?.condition.value === "equals") === (body["status"] === condition?.destination.value),
    );
    const shown = parameter(
      others.find(({ id }) => id === taken?.destination_id),
      "call",
    );
    // High and failed scans are not done at the first answer of this stand-in, whatever it is asked to wait.
    const isDone = "headline" in expected && !email.startsWith("high@");
    expect(shown.startsWith("$look_up.body.headline")).toBe(isDone);
    if (isDone) expect(body["headline"]).toBe("headline" in expected ? expected.headline : "");
    if (code === "scan_failed") expect(body["total"]).toBeNull();
    expect(JSON.stringify(body) + shown).not.toMatch(forbiddenWords);
  });
});

describe("tines", () => {
  type Agent = { type: string; name: string; options: Record<string, unknown> };
  const story = JSON.parse(readFileSync(`${folderOf("tines")}xpose-story.json`, "utf8"));
  const agents = story.agents as Agent[];
  const after = (at: number) =>
    (story.links as { source: number; receiver: number }[])
      .filter(({ source }) => source === at)
      .map(({ receiver }) => receiver);

  /** The event's fields, by the names that the story gives to its actions; `DEFAULT` takes the first that is there. */
  function fill(text: string, fields: Record<string, unknown>): string {
    return text.replaceAll(/<<(.+?)>>/g, (_, inner: string) => {
      const paths = (/^DEFAULT\((.*)\)$/.exec(inner)?.[1] ?? inner).split(",").map((path) => path.trim());
      for (const path of paths) {
        if (/^(?:\d+|'.*')$/.test(path)) return path.replaceAll("'", "");
        const value = path
          .split(".")
          .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], fields);
        if (value !== undefined && value !== null && value !== "") return String(value);
      }
      return "";
    });
  }

  /** Follows the links from the webhook until a message; at most six polls. */
  async function follow(email: string, key: string): Promise<string> {
    const fields: Record<string, unknown> = {
      RESOURCE: { xpose_url: service.url },
      CREDENTIAL: { xpose_api_key: key },
      receive_an_address: { body: { email } },
    };
    const waiting = [0];
    for (let step = 0; step < 40 && waiting.length > 0; step += 1) {
      const at = waiting.shift() ?? 0;
      const { type, name, options } = agents[at] as Agent;
      if (type === "Agents::HTTPRequestAgent") {
        expect([options["follow_redirects"], options["disable_ssl_verification"]]).toEqual([false, false]);
        const headers = Object.fromEntries(
          Object.entries(options["headers"] as Record<string, string>).map(([header, value]) => [
            header,
            fill(value, fields),
          ]),
        );
        const isGet = options["method"] === "get";
        const response = await fetch(fill(String(options["url"]), fields), {
          method: isGet ? "GET" : "POST",
          redirect: "manual",
          headers: { ...headers, "Content-Type": "application/json" },
          ...(isGet ? {} : { body: fill(JSON.stringify(options["payload"]), fields) }),
        });
        const body = await response.json().catch(() => ({}));
        fields[name.toLowerCase().replaceAll(" ", "_")] = {
          status: response.status,
          body,
          headers: Object.fromEntries(response.headers),
        };
      }
      if (type === "Agents::TriggerAgent") {
        const rules = options["rules"] as { type: string; path: string; value: string }[];
        const isMet = rules.every(
          (rule) => (fill(rule.path, fields) === rule.value) === (rule.type === "field==value"),
        );
        if (!isMet) continue;
      }
      if (options["mode"] === "message_only") return fill(JSON.stringify(options["payload"]), fields);
      waiting.push(...after(at));
    }
    return "still waiting";
  }

  test.each(table)("$name: evidence, or the message that xpose could not look", async ({ email, key, expected }) => {
    const message = await follow(email, key);
    if ("headline" in expected) expect(message).toContain(`"headline":"${expected.headline}"`);
    else expect(message).toContain("xpose could not look: ");
    expect(message).not.toMatch(forbiddenWords);
    expect(message).not.toContain("xpz_live_");
  });

  test("a scan that is not done is asked again and never told as a result", async () => {
    expect(await follow("slow@example.com", goodKey)).toBe("still waiting");
    const polls = service.callsFor("slow@example.com").filter(({ method }) => method === "GET");
    expect(polls.length).toBeGreaterThan(3);
  });

  test("limits are waited for by the action itself", () => {
    for (const { options } of agents.filter(({ type }) => type === "Agents::HTTPRequestAgent")) {
      expect(options).toMatchObject({ retry_on_status: ["429", "503"] });
    }
  });
});
