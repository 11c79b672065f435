import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import { Appliance, type Service } from "../helpers/appliance.ts";
import { type Authority, type Certificate, createAuthority } from "../helpers/certificates.ts";
import { rawClient } from "../helpers/raw-client.ts";
import { writeTlsConfig } from "../helpers/write-tls-config.ts";

const authority = createAuthority("Test authority");

/** A service that serves TLS; its files can be replaced while it runs. */
async function openTlsService(appliance: Appliance, { clientCa = null as Authority | null, isExpired = false } = {}) {
  const path = (name: string) => join(appliance.folder, name);
  const replace = ({ cert, key }: Partial<Certificate>) => {
    if (key !== undefined) writeFileSync(path("key.pem"), key);
    if (cert !== undefined) writeFileSync(path("cert.pem"), cert);
  };
  const certificate = authority.issue(["IP:127.0.0.1"], { isExpired });
  if (clientCa !== null) writeFileSync(path("client-ca.pem"), clientCa.ca);
  const ca = clientCa === null ? "" : `client_ca = "${path("client-ca.pem")}"\n`;
  const args = writeTlsConfig(appliance.folder, certificate, ca);
  appliance.initialise();
  const service = await appliance.serve({ args });
  const file = path("xpose.toml");
  return { service, file, path, replace };
}

/** The serial number of the certificate that is shown now; null when the handshake fails. */
function shownSerial(url: string, own: Partial<Certificate> = {}): Promise<string | null> {
  const { port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const socket = connect({ host: "127.0.0.1", port: Number(port), rejectUnauthorized: false, ...own });
  let serial: string | null = null;
  // With TLS 1.3 the server refuses a client after the handshake: only an answer shows that it did not.
  socket.on("secureConnect", () => {
    serial = socket.getPeerCertificate().serialNumber;
    socket.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  });
  socket.on("data", () => socket.end());
  socket.on("error", () => {
    serial = null;
  });
  socket.on("close", () => resolve(socket.bytesRead > 0 ? serial : null));
  return promise;
}

async function logged(service: Service, message: string, times = 1): Promise<string> {
  for (let tries = 0; tries < 100; tries += 1) {
    const lines = service.log().split("\n");
    const line = lines.filter((one) => one.includes(`"msg":"${message}"`))[times - 1];
    if (line !== undefined) return line;
    await Bun.sleep(50);
  }
  throw new Error(`the log does not say "${message}": ${service.log()}`);
}

test("12.5a a renewed certificate is taken over by SIGHUP; open connections end with their next answer", async () => {
  await using appliance = new Appliance();
  const { service, replace } = await openTlsService(appliance);
  const first = await shownSerial(service.url);
  await using open = await rawClient(service.url);
  const request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
  open.write(request);
  expect(await open.answers(1)).toEqual([200]);

  replace(authority.issue(["IP:127.0.0.1"]));
  expect(await shownSerial(service.url)).toBe(first);
  service.kill("SIGHUP");
  await logged(service, "certificate taken over");
  const second = await shownSerial(service.url);
  expect(second).not.toBe(first);
  expect(second).not.toBeNull();
  open.write(request);
  expect(await open.answers(2)).toEqual([200, 200]);
  expect(open.received().match(/connection: close/gi)).toHaveLength(1);
});

test("12.5a a renewal cuts no answer, and loses no client that asks again and again", async () => {
  await using appliance = new Appliance();
  const { service, replace } = await openTlsService(appliance);
  let isOver = false;
  let answerCount = 0;
  const faults: string[] = [];
  const clients = Array.from({ length: 10 }, async () => {
    while (!isOver) {
      try {
        const response = await fetch(`${service.url}/healthz`, { tls: { rejectUnauthorized: false } });
        await response.arrayBuffer();
        answerCount += 1;
      } catch (error) {
        faults.push(error instanceof Error && "code" in error ? String(error.code) : String(error));
      }
      await Bun.sleep(10);
    }
  });
  for (let round = 1; round <= 5; round += 1) {
    replace(authority.issue(["IP:127.0.0.1"]));
    service.kill("SIGHUP");
    await logged(service, "certificate taken over", round);
  }
  isOver = true;
  await Promise.all(clients);
  expect(answerCount).toBeGreaterThan(100);
  expect(faults).toEqual([]);
});

test("12.5a a bad pair is refused and the one in use stays; the log says why", async () => {
  await using appliance = new Appliance();
  const { service, replace } = await openTlsService(appliance);
  const first = await shownSerial(service.url);
  const { cert, key } = authority.issue(["IP:127.0.0.1"]);
  replace({ key });
  service.kill("SIGHUP");
  expect(await logged(service, "certificate refused, the one in use stays")).toContain("server.tls_key");
  expect(await shownSerial(service.url)).toBe(first);
  replace({ cert });
  service.kill("SIGHUP");
  await logged(service, "certificate taken over");
  expect(await shownSerial(service.url)).not.toBe(first);
});

test("12.5a a renewed client authority counts: certificates of the old one are refused", async () => {
  await using appliance = new Appliance();
  const [before, after] = [createAuthority("Before"), createAuthority("After")];
  const { service, path } = await openTlsService(appliance, { clientCa: before });
  const [old, renewed] = [before.issue(["DNS:client"]), after.issue(["DNS:client"])];
  const asked = async () => [await shownSerial(service.url, old), await shownSerial(service.url, renewed)];
  const [known, unknown] = await asked();
  expect([known === null, unknown]).toEqual([false, null]);
  writeFileSync(path("client-ca.pem"), after.ca);
  service.kill("SIGHUP");
  await logged(service, "certificate taken over");
  expect(await asked()).toEqual([null, known]);
});

test("the end of a certificate: a warning at the start, a metric, and a fault for doctor once it is over", async () => {
  await using appliance = new Appliance();
  // Certificates of the test are valid for two days.
  const { service, file, replace } = await openTlsService(appliance);
  expect(await logged(service, "the certificate expires soon")).toContain("not_after");
  const metrics = await (await fetch(`${service.url}/metrics`, { tls: { rejectUnauthorized: false } })).text();
  const end = Number(/^xpose_tls_certificate_not_after_seconds (\d+)$/m.exec(metrics)?.[1]);
  expect(end - Date.now() / 1000).toBeGreaterThan(86_400);
  expect(end - Date.now() / 1000).toBeLessThan(2 * 86_400 + 60);
  expect(appliance.run(["doctor", "--config", file]).stdout).toContain(
    "ok    configuration: can be used; the certificate expires at",
  );
  replace(authority.issue(["IP:127.0.0.1"], { isExpired: true }));
  const { exitCode, stdout } = appliance.run(["doctor", "--config", file]);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/^FAIL {2}configuration: server.tls_cert: the certificate expired at /m);
});

test.each([
  { cipher: "AES128-SHA", isAccepted: false },
  { cipher: "AES128-GCM-SHA256", isAccepted: false },
  { cipher: "ECDHE-ECDSA-AES128-SHA", isAccepted: false },
  { cipher: "ECDHE-ECDSA-AES128-GCM-SHA256", isAccepted: true },
  { cipher: "ECDHE-ECDSA-CHACHA20-POLY1305", isAccepted: true },
])("a handshake with $cipher alone is accepted: $isAccepted", async ({ cipher, isAccepted }) => {
  await using appliance = new Appliance();
  const { service } = await openTlsService(appliance);
  const args = ["s_client", "-tls1_2", "-cipher", cipher, "-connect", new URL(service.url).host];
  const { stdout } = spawnSync("openssl", args, { input: "", encoding: "utf8", timeout: 10_000 });
  expect(stdout.includes(`Cipher is ${cipher}`)).toBe(isAccepted);
});

test("over TLS every answer tells browsers to stay with it", async () => {
  await using appliance = new Appliance();
  const { service } = await openTlsService(appliance);
  for (const path of ["/", "/healthz", "/nowhere"]) {
    const response = await fetch(`${service.url}${path}`, { tls: { rejectUnauthorized: false } });
    expect(response.headers.get("Strict-Transport-Security")).toBe("max-age=31536000");
  }
  service.kill("SIGTERM");
  await service.exited;
  const plain = await appliance.serve();
  expect((await fetch(`${plain.url}/healthz`)).headers.has("Strict-Transport-Security")).toBe(false);
});
