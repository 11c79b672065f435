import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { type Authority, createAuthority } from "../helpers/certificates.ts";

type SourceRow = { source: string; outcome: string; findings: number; error: string | null; missing: string[] };

function configure(appliance: Appliance, text: string): string[] {
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, text);
  return ["--config", file];
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return (server.address() as AddressInfo).port;
}

async function startUpstream(answer: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listening(createServer(answer))}`;
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): RequestListener => {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
};
const empty404: RequestListener = (_request, response) => void response.writeHead(404).end();

/** An HIBP that answers each call as it is told, and the others with its empty 404. */
function hibpWith(calls: Readonly<Record<string, RequestListener>>): RequestListener {
  return (request, response) => {
    const call = request.url?.split("/")[1] ?? "";
    (calls[call] ?? empty404)(request, response);
  };
}

const breach = {
  Name: "ExampleShop",
  Title: "Example Shop",
  Domain: "shop.example",
  BreachDate: "2021-04-08",
  DataClasses: ["Email addresses", "Passwords"],
  IsVerified: true,
  IsFabricated: false,
  IsSensitive: false,
  IsRetired: false,
  IsSpamList: false,
};

const hibpTable = (url: string, more = "") =>
  `[sources.hibp]\nbase_url = "${url}"\napi_key = "${"0".repeat(32)}"\nrate = "1000/1m"\n${more}\n`;

async function scan(api: ReturnType<typeof client>, address: string) {
  const { request_id } = (await (await api.enrich(address)).json()) as { request_id: string };
  const envelope = await api.settle(request_id);
  const response = await api.get(`/api/v1/soc/enrich/${request_id}/sources`);
  return { envelope, rows: ((await response.json()) as { sources: SourceRow[] }).sources };
}

describe("21.11 the parts of hibp", () => {
  test.each(["", "stealer_logs = true", "pastes = false"])(
    "a refused breach call is a failed source, whatever the others said, and check says so (%j)",
    async (more) => {
      const refused = json(403, { statusCode: 403, message: "Forbidden" });
      const url = await startUpstream(hibpWith({ breachedaccount: refused }));
      await using appliance = new Appliance();
      const key = appliance.initialise();
      const args = configure(appliance, hibpTable(url, more));
      const api = client((await appliance.serve({ args })).url, key);
      const { envelope, rows } = await scan(api, "jane.doe@example.com");
      expect(envelope["status"]).toBe("failed");
      expect(rows).toMatchObject([{ source: "hibp", outcome: "failed", error: "auth", missing: [] }]);
      const check = await appliance.runBeside(["sources", "check", ...args]);
      expect([check.exitCode, check.stdout]).toEqual([
        1,
        expect.stringMatching(/^FAIL\s+hibp: auth: .*plan of the key/),
      ]);
    },
  );

  test("stealer logs that are told to wait are paused alone, and the breaches of the next address are found", async () => {
    let logCount = 0;
    const slow = json(429, { statusCode: 429, message: "Rate limit is exceeded." }, { "retry-after": "600" });
    const url = await startUpstream(
      hibpWith({
        breachedaccount: json(200, [breach]),
        pasteaccount: json(500, { message: "down" }),
        stealerlogsbyemail: (request, response) => {
          logCount += 1;
          slow(request, response);
        },
      }),
    );
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const service = await appliance.serve({ args: configure(appliance, hibpTable(url, "stealer_logs = true")) });
    const api = client(service.url, key);
    for (const address of ["jane.doe@example.com", "john.roe@example.com"]) {
      const { rows } = await scan(api, address);
      expect(rows).toMatchObject([
        { outcome: "ok", findings: 1, error: null, missing: ["pasteaccount", "stealerlogsbyemail"] },
      ]);
    }
    expect(logCount).toBe(1);
  });
});

describe("21.12 a service that says 404 to everybody", () => {
  test("is told of by check; one that knows the probe or answers 200 is not", async () => {
    const [gone, good] = [await startUpstream(empty404), await startUpstream(json(200, { findings: [] }))];
    const half = await startUpstream((request, response) =>
      (request.url?.includes("xpose-check%40example.com") ? empty404 : json(200, { findings: [] }))(request, response),
    );
    await using appliance = new Appliance();
    appliance.initialise();
    const table = (name: string, url: string) => `[[sources.http]]\nname = "${name}"\nurl = "${url}/{email}"\n`;
    const args = configure(appliance, table("gone", gone) + table("good", good) + table("half", half));
    const { exitCode, stdout } = await appliance.runBeside(["sources", "check", ...args]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ok\s+gone: answers; every address that was asked about gets a 404.*check its URL/m);
    expect(stdout).toMatch(/^ok\s+good: answers$/m);
    expect(stdout).toMatch(/^ok\s+half: answers$/m);
  });
});

describe("21.19 TLS", () => {
  let authority: Authority;
  beforeAll(() => {
    authority = createAuthority("Authority of the perimeter");
  });

  /** A gateway before all four kinds of services. It wants a certificate of our authority, and keeps what it was sent. */
  async function startGateway() {
    const requests: IncomingMessage[] = [];
    const answer: RequestListener = (request, response) => {
      requests.push(request);
      if (request.url?.startsWith("/attributes/")) json(200, { response: [] })(request, response);
      else if (request.url?.startsWith("/inhouse/")) json(200, { findings: [] })(request, response);
      else empty404(request, response);
    };
    const options = { ...authority.issue(["DNS:localhost"]), ca: authority.ca, requestCert: true };
    const port = await listening(createSecureServer({ ...options, rejectUnauthorized: true }, answer));
    return { url: `https://localhost:${port}`, requests };
  }

  function tables(url: string, more: string): string {
    const keyed = ["hibp", "emailrep", "misp"].map(
      (name) => `[sources.${name}]\nbase_url = "${url}"\napi_key = "k"\nrate = "1000/1m"\n${more}`,
    );
    return `${keyed.join("\n")}\n[[sources.http]]\nname = "inhouse"\nurl = "${url}/inhouse/{email}"\n${more}`;
  }

  test("a client certificate and headers reach every source that speaks HTTP, and without one check says what to set", async () => {
    const { url, requests } = await startGateway();
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const file = (name: string, text: string) => {
      const path = join(appliance.folder, name);
      writeFileSync(path, text);
      return path;
    };
    const own = authority.issue(["DNS:xpose.example"]);
    const [ca, cert, keyFile] = [file("ca.pem", authority.ca), file("own.pem", own.cert), file("own.key", own.key)];
    const outbound = `[outbound]\nca_file = "${ca}"\n`;

    const bare = await appliance.runBeside(["sources", "check", ...configure(appliance, outbound + tables(url, ""))]);
    for (const name of ["hibp", "emailrep", "misp", "inhouse"]) {
      expect(bare.stdout).toMatch(
        new RegExp(`^FAIL\\s+${name}: tls: .*client certificate.*client_cert and client_key`, "m"),
      );
    }

    const more = `client_cert = "${cert}"\nclient_key = "${keyFile}"\nheaders = { X-Gateway-Token = "canary-gateway" }\n`;
    const args = configure(appliance, outbound + tables(url, more));
    const service = await appliance.serve({ args });
    const { rows } = await scan(client(service.url, key), "jane.doe@example.com");
    expect(rows.map(({ source, outcome }) => [source, outcome])).toEqual([
      ["emailrep", "no_data"],
      ["hibp", "no_data"],
      ["inhouse", "no_data"],
      ["misp", "no_data"],
    ]);
    // The list of breaches comes from the same service.
    const calls = requests.map(({ url: path = "" }) => path.split("/")[1]);
    expect(calls).toEqual(expect.arrayContaining(["breaches", "breachedaccount", "attributes", "inhouse"]));
    for (const { headers } of requests) expect(headers["x-gateway-token"]).toBe("canary-gateway");
    expect(service.log()).not.toContain("canary-gateway");
  });

  test.each([
    ["unknown authority", () => createAuthority("Stranger").issue(["DNS:localhost"]), /outbound\.ca_file/],
    ["expired", () => authority.issue(["DNS:localhost"], { isExpired: true }), /renew the certificate/],
    ["another name", () => authority.issue(["DNS:other.test"]), /use a host name from the certificate in the URL/],
  ])("%s: check says which, and what to do", async (_name, issue, wanted) => {
    const port = await listening(createSecureServer(issue(), json(200, { findings: [] })));
    await using appliance = new Appliance();
    appliance.initialise();
    const ca = join(appliance.folder, "ca.pem");
    writeFileSync(ca, authority.ca);
    const table = `[[sources.http]]\nname = "inhouse"\nurl = "https://localhost:${port}/{email}"\n`;
    const args = configure(appliance, `[outbound]\nca_file = "${ca}"\n${table}`);
    const { exitCode, stdout } = await appliance.runBeside(["sources", "check", ...args]);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^FAIL\s+inhouse: tls: /m);
    expect(stdout).toMatch(wanted);
  });

  test("no TLS at all: check says so", async () => {
    const url = (await startUpstream(json(200, { findings: [] }))).replace("http://127.0.0.1", "https://localhost");
    await using appliance = new Appliance();
    appliance.initialise();
    const args = configure(appliance, `[[sources.http]]\nname = "inhouse"\nurl = "${url}/{email}"\n`);
    const { stdout } = await appliance.runBeside(["sources", "check", ...args]);
    expect(stdout).toMatch(/^FAIL\s+inhouse: tls: .*does not speak TLS.*check the port/m);
  });

  test.each([
    ["is not there", "/nowhere/own.pem", /sources\.misp\.client_cert: got "\/nowhere\/own\.pem", want a PEM file/],
    ["is no certificate", null, /sources\.misp\.client_cert: got ".*none\.pem", want a PEM certificate/],
  ])("a client certificate that %s stops the start, and names its key", async (_name, path, wanted) => {
    await using appliance = new Appliance();
    appliance.initialise();
    const none = join(appliance.folder, "none.pem");
    writeFileSync(none, "no certificate");
    const cert = path ?? none;
    const table = `[sources.misp]\nbase_url = "https://misp.example"\napi_key = "k"\nclient_cert = "${cert}"\nclient_key = "${none}"\n`;
    const { exitCode, stderr } = await appliance.runBeside([
      "serve",
      "--listen",
      "127.0.0.1:0",
      ...configure(appliance, table),
    ]);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(wanted)]);
  });
});

test("21.16 an address that is forgotten while a POST waits for it: the POST answers its 202", async () => {
  const [asked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const url = await startUpstream(async (request, response) => {
    asked.resolve();
    await released.promise;
    json(200, { findings: [{ title: "Known" }] })(request, response);
  });
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const args = configure(appliance, `[[sources.http]]\nname = "inhouse"\nurl = "${url}/{email}"\n`);
  const api = client((await appliance.serve({ args })).url, key);
  const waiting = api.enrich("jane.doe@example.com", { Prefer: "wait=5" });
  await asked.promise;
  expect((await appliance.runBeside(["corpus", "forget", "jane.doe@example.com", ...args])).exitCode).toBe(0);
  released.resolve();
  const response = await waiting;
  expect(response.status).toBe(202);
  const { request_id: id } = (await response.json()) as { request_id: string };
  expect((await api.get(`/api/v1/soc/enrich/${id}`)).status).toBe(404);
});

test("21.20 behind a path the Location is absolute under server.public_url, and poll_url stays as published", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const args = configure(appliance, '[server]\npublic_url = "https://soc.example/xpose/"\n');
  const api = client((await appliance.serve({ args })).url, key);
  const response = await api.enrich("jane.doe@example.com");
  const { request_id: id, poll_url: pollUrl } = (await response.json()) as { request_id: string; poll_url: string };
  expect(pollUrl).toBe(`/api/v1/soc/enrich/${id}`);
  expect(response.headers.get("Location")).toBe(`https://soc.example/xpose${pollUrl}`);
});
