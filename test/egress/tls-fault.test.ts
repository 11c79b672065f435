import type { AddressInfo } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { SourceError } from "../../src/domain/error.ts";
import { failureOf } from "../../src/egress/answer.ts";
import { type HttpClientOptions, openHttpClient } from "../../src/egress/client.ts";
import { tlsError, tlsFaultOf } from "../../src/egress/tls-fault.ts";
import { type Authority, type Certificate, createAuthority } from "../helpers/certificates.ts";
import { type FaultServer, type Reply, startFaultServer } from "../helpers/fault-server.ts";

let upstream: FaultServer;
let authority: Authority;
let server: Certificate;
let own: Certificate;

beforeAll(async () => {
  upstream = await startFaultServer();
  authority = createAuthority("Authority of servers and clients");
  server = authority.issue(["DNS:localhost"]);
  own = authority.issue(["DNS:xpose.example"]);
}, 30_000);
afterAll(() => upstream.close());

async function ask(url: string, options: Partial<HttpClientOptions>) {
  const client = openHttpClient({ userAgent: "xpose/1.2.3", proxy: null, noProxy: [], extraCa: null, ...options });
  onTestFinished(() => client.close());
  return await client.request({ url, signal: AbortSignal.timeout(5_000) });
}

async function faultOf(url: string, options: Partial<HttpClientOptions>) {
  const error: unknown = await ask(url, options).catch((reason: unknown) => reason);
  const { reason, tlsFault, message } = error as SourceError;
  expect(message).toContain("localhost");
  return [reason, tlsFault];
}

/** A server that requires a certificate of our authority and answers with the client's name. */
async function startStrict(options: TlsOptions = {}): Promise<string> {
  const listener = createServer(
    { ...server, ca: authority.ca, requestCert: true, rejectUnauthorized: true, ...options },
    (socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome"));
    },
  );
  listener.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise<void>((resolve) => listener.close(() => resolve())));
  return `https://localhost:${(listener.address() as AddressInfo).port}/`;
}

describe("a TLS failure has its kind", () => {
  test.each<[Reply, string]>([
    ["tls_unknown_ca", "unknown_authority"],
    ["tls_expired", "expired"],
    ["tls_wrong_name", "wrong_name"],
    ["tls_not_spoken", "no_tls"],
  ])("%s: %s", async (reply, tlsFault) => {
    expect(await faultOf(upstream.url(reply), { systemCa: upstream.ca })).toEqual(["tls", tlsFault]);
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("a missing client certificate is recognised over %s", async (version) => {
    const url = await startStrict({ minVersion: version, maxVersion: version });
    expect(await faultOf(url, { systemCa: authority.ca })).toEqual(["tls", "client_certificate"]);
  });

  test.each([
    [400, "<center>No required SSL certificate was sent</center>"],
    [400, "<center>The SSL certificate error</center>"],
    [403, "<h1>403.7 - Client certificate required</h1>"],
  ])("a missing client certificate is recognised in a page of status %i", (status, page) => {
    const body = new TextEncoder().encode(page);
    const headers = { "content-type": "text/html" };
    expect(failureOf({ status, headers, body })).toMatchObject({ reason: "tls", tlsFault: "client_certificate" });
    expect(failureOf({ status: 404, headers, body })).toMatchObject({ reason: "http_4xx", tlsFault: null });
  });

  test.each([
    ["CERT_HAS_EXPIRED", "expired"],
    ["CERT_NOT_YET_VALID", "expired"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "unknown_authority"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "unknown_authority"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unknown_authority"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "wrong_name"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "no_tls"],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "client_certificate"],
    ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "client_certificate"],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "other"],
    ["ECONNRESET", null],
    ["no code", null],
  ])("the code %s: %s", (code, tlsFault) => {
    expect(tlsFaultOf(code)).toBe(tlsFault);
    expect(tlsError("host.example", code)).toMatchObject({ reason: "tls", tlsFault: tlsFault ?? "other" });
  });
});

describe("a client certificate", () => {
  test.each(["TLSv1.2", "TLSv1.3"] as const)("lets the client in over %s", async (version) => {
    const url = await startStrict({ minVersion: version, maxVersion: version });
    const answer = await ask(url, { systemCa: authority.ca, clientCertificate: own });
    expect(new TextDecoder().decode(answer.body)).toBe("welcome");
  });

  test("does not make the server's certificate trusted", async () => {
    const url = await startStrict();
    expect(await faultOf(url, { systemCa: upstream.ca, clientCertificate: own })).toEqual(["tls", "unknown_authority"]);
  });

  test("is not shown to the proxy on the way", async () => {
    const names: unknown[] = [];
    const proxy = createServer(
      { ...server, ca: authority.ca, requestCert: true, rejectUnauthorized: false },
      (socket) => {
        names.push(socket.getPeerCertificate().subject);
        socket.on("error", () => {});
        socket.on("data", () => socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
      },
    );
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => new Promise<void>((resolve) => proxy.close(() => resolve())));
    const proxyUrl = `https://localhost:${(proxy.address() as AddressInfo).port}`;
    const asked = ask("https://target.example/", {
      systemCa: authority.ca,
      clientCertificate: own,
      proxy: proxyUrl,
    });
    await expect(asked).rejects.toMatchObject({ reason: "unreachable" });
    expect(names).toEqual([undefined]);
  });

  test("that is invalid, or has another key, is refused before anything is sent", () => {
    const open = (clientCertificate: Certificate) => () =>
      openHttpClient({
        userAgent: "x",
        proxy: null,
        noProxy: [],
        extraCa: null,
        systemCa: authority.ca,
        clientCertificate,
      });
    expect(open({ cert: "no certificate", key: own.key })).toThrow();
    expect(open({ cert: own.cert, key: "no key" })).toThrow();
    expect(open({ cert: own.cert, key: server.key })).toThrow();
    expect(open(own)).not.toThrow();
  });
});
