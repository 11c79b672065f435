import { describe, expect, test } from "vitest";
import {
  clientAddress,
  isLoopbackClient,
  isOwnHost,
  isSameOrigin,
  isSecure,
  makeTrust,
} from "../../src/http/caller.ts";

const nobody = makeTrust([], []);
const proxies = makeTrust(["10.0.0.0/8", "127.0.0.1", "fd00::/8", "2001:db8::1"], ["xpose.corp.example"]);
const tcp = (address: string) => ({ address, isTls: false });
const unix = { address: null, isTls: false };
const forwarded = (value: string) => new Headers({ "X-Forwarded-For": value });

describe("12.2 the address of a client", () => {
  test.each([
    {
      why: "without proxies the header is not believed",
      trust: nobody,
      peer: tcp("10.0.0.1"),
      xff: "203.0.113.7",
      is: "10.0.0.1",
    },
    {
      why: "nor from a peer that is none of them",
      trust: proxies,
      peer: tcp("192.0.2.1"),
      xff: "203.0.113.7",
      is: "192.0.2.1",
    },
    { why: "it is from one that is", trust: proxies, peer: tcp("10.1.2.3"), xff: "203.0.113.7", is: "203.0.113.7" },
    {
      why: "also where the socket is an IPv6 one",
      trust: proxies,
      peer: tcp("::ffff:10.1.2.3"),
      xff: "203.0.113.7",
      is: "203.0.113.7",
    },
    { why: "IPv4 is in its own form", trust: nobody, peer: tcp("::ffff:192.0.2.1"), xff: "", is: "192.0.2.1" },
    { why: "IPv6 networks count", trust: proxies, peer: tcp("fd12::9"), xff: "2001:DB8::7", is: "2001:db8::7" },
    {
      why: "and single IPv6 addresses",
      trust: proxies,
      peer: tcp("2001:db8::1"),
      xff: "203.0.113.7",
      is: "203.0.113.7",
    },
    {
      why: "what the client itself wrote is not believed",
      trust: proxies,
      peer: tcp("10.0.0.1"),
      xff: "127.0.0.1, 203.0.113.7",
      is: "203.0.113.7",
    },
    {
      why: "a chain of proxies is followed back",
      trust: proxies,
      peer: tcp("10.0.0.1"),
      xff: "198.51.100.2, 203.0.113.7, 10.0.0.9, fd00::2",
      is: "203.0.113.7",
    },
    {
      why: "a proxy may be the client",
      trust: proxies,
      peer: tcp("10.0.0.1"),
      xff: "10.0.0.7, 10.0.0.8",
      is: "10.0.0.7",
    },
    {
      why: "ports and brackets are left out",
      trust: proxies,
      peer: tcp("10.0.0.1"),
      xff: "203.0.113.7:4711",
      is: "203.0.113.7",
    },
    { why: "for IPv6 too", trust: proxies, peer: tcp("10.0.0.1"), xff: "[2001:db8::7]:4711", is: "2001:db8::7" },
    {
      why: "what is no address ends the way",
      trust: proxies,
      peer: tcp("10.0.0.1"),
      xff: "203.0.113.7, unknown",
      is: "10.0.0.1",
    },
    {
      why: "in its middle",
      trust: proxies,
      peer: tcp("10.0.0.1"),
      xff: "203.0.113.7, unknown, 10.0.0.5",
      is: "10.0.0.5",
    },
    { why: "an empty header says nothing", trust: proxies, peer: tcp("10.0.0.1"), xff: "", is: "10.0.0.1" },
    {
      why: "the peer of a unix socket is a trusted proxy",
      trust: nobody,
      peer: unix,
      xff: "203.0.113.7",
      is: "203.0.113.7",
    },
    { why: "that may not say", trust: nobody, peer: unix, xff: "", is: null },
  ])("$why", ({ trust, peer, xff, is }) => {
    expect(clientAddress(forwarded(xff), peer, trust)).toBe(is);
  });

  test("without a header the client is the peer, and a header sent twice is one list", () => {
    expect(clientAddress(new Headers(), tcp("10.0.0.1"), proxies)).toBe("10.0.0.1");
    const twice = new Headers([
      ["X-Forwarded-For", "198.51.100.2"],
      ["X-Forwarded-For", "203.0.113.7"],
    ]);
    expect(clientAddress(twice, tcp("10.0.0.1"), proxies)).toBe("203.0.113.7");
  });
});

describe("12.1 a client on this machine", () => {
  test.each([
    { why: "loopback", peer: tcp("127.0.0.1"), headers: {}, is: true },
    { why: "all of 127/8", peer: tcp("127.9.9.9"), headers: {}, is: true },
    { why: "IPv6", peer: tcp("::1"), headers: {}, is: true },
    { why: "IPv4 on an IPv6 socket", peer: tcp("::ffff:127.0.0.1"), headers: {}, is: true },
    { why: "another machine", peer: tcp("192.0.2.1"), headers: {}, is: false },
    {
      why: "another machine that says it is here",
      peer: tcp("192.0.2.1"),
      headers: { "X-Forwarded-For": "127.0.0.1" },
      is: false,
    },
    {
      why: "a proxy here that is not declared",
      peer: tcp("::1"),
      headers: { "X-Forwarded-For": "203.0.113.7" },
      is: false,
    },
    {
      why: "one that says its client is here",
      peer: tcp("::1"),
      headers: { "X-Forwarded-For": "127.0.0.1" },
      is: false,
    },
    { why: "one that uses another header", peer: tcp("::1"), headers: { Forwarded: "for=203.0.113.7" }, is: false },
    { why: "or another one", peer: tcp("::1"), headers: { "X-Real-IP": "203.0.113.7" }, is: false },
    {
      why: "a declared proxy here for a stranger",
      peer: tcp("127.0.0.1"),
      headers: { "X-Forwarded-For": "203.0.113.7" },
      is: false,
    },
    { why: "for somebody here", peer: tcp("127.0.0.1"), headers: { "X-Forwarded-For": "127.0.0.1" }, is: true },
    { why: "in its own name", peer: tcp("127.0.0.1"), headers: {}, is: true },
    {
      why: "a declared proxy that does not know its client",
      peer: tcp("127.0.0.1"),
      headers: { "X-Forwarded-For": "unknown" },
      is: false,
    },
    {
      why: "or whose proxy does not",
      peer: tcp("127.0.0.1"),
      headers: { "X-Forwarded-For": "unknown, 127.0.0.1" },
      is: false,
    },
    {
      why: "a declared proxy that says it in a header we do not read",
      peer: tcp("127.0.0.1"),
      headers: { Forwarded: "for=203.0.113.7" },
      is: false,
    },
    { why: "or in X-Real-IP", peer: tcp("127.0.0.1"), headers: { "X-Real-IP": "203.0.113.7" }, is: false },
    { why: "a unix socket for somebody here", peer: unix, headers: { "X-Forwarded-For": "::1" }, is: true },
    { why: "a unix socket for a stranger", peer: unix, headers: { "X-Forwarded-For": "203.0.113.7" }, is: false },
    { why: "a unix socket that does not say", peer: unix, headers: {}, is: false },
  ])("$why: $is", ({ peer, headers, is }) => {
    expect(isLoopbackClient(new Headers(headers as Record<string, string>), peer, proxies)).toBe(is);
  });
});

describe("9.9 a secure connection", () => {
  test.each([
    { why: "TLS to us", peer: { address: "192.0.2.1", isTls: true }, proto: null, is: true },
    { why: "plain to us", peer: tcp("10.0.0.1"), proto: null, is: false },
    { why: "TLS to a trusted proxy", peer: tcp("10.0.0.1"), proto: "HTTPS", is: true },
    { why: "plain to a trusted proxy", peer: tcp("10.0.0.1"), proto: "https, http", is: false },
    { why: "TLS to whoever", peer: tcp("192.0.2.1"), proto: "https", is: false },
    { why: "TLS before a unix socket", peer: unix, proto: "https", is: true },
  ])("$why: $is", ({ peer, proto, is }) => {
    expect(isSecure(new Headers(proto === null ? {} : { "X-Forwarded-Proto": proto }), peer, proxies)).toBe(is);
  });
});

describe("12.2 one of our host names", () => {
  test.each([
    "localhost",
    "LOCALHOST:8080",
    "app.localhost:8080",
    "127.0.0.1",
    "127.0.0.1:8080",
    "10.1.2.3:80",
    "[::1]",
    "[::1]:8080",
    "[2001:db8::1]:8443",
    "xpose.corp.example",
    "XPOSE.corp.example:443",
  ])("%s", (host) => {
    expect(isOwnHost(host, proxies)).toBe(true);
  });

  test.each([
    null,
    "",
    ":8080",
    "evil.example",
    "xpose.corp.example.evil.example",
    "evil-xpose.corp.example",
    "localhost.evil.example",
    "notlocalhost",
    "127.0.0.1.evil.example",
    "localhost, evil.example",
    "evil.example/.localhost",
    "evil.example@localhost",
    "evil.example#.localhost",
    "[evil.example]",
    "[::1",
    "::1",
    "localhost:port",
    "localhost:123456",
  ])("%j is not one of our host names", (host) => {
    expect(isOwnHost(host, proxies)).toBe(false);
  });
});

describe("9.1 host and port of an origin equal those of Host", () => {
  test.each([
    ["http://localhost:8080", "localhost:8080"],
    ["http://LOCALHOST:8080", "localhost:8080"],
    ["https://xpose.corp.example", "xpose.corp.example"],
    ["https://xpose.corp.example", "xpose.corp.example:443"],
    ["https://xpose.corp.example:443", "xpose.corp.example"],
    ["http://xpose.corp.example", "xpose.corp.example:80"],
    ["http://[::1]:8080", "[::1]:8080"],
    ["http://[0:0:0:0:0:0:0:1]:8080", "[::1]:8080"],
  ])("%s to %s", (origin, host) => {
    expect(isSameOrigin(origin, host)).toBe(true);
  });

  test.each([
    [null, "localhost:8080"],
    ["null", "localhost:8080"],
    ["", "localhost:8080"],
    ["http://localhost:8080", null],
    ["http://localhost:8081", "localhost:8080"],
    ["http://localhost", "localhost:8080"],
    ["https://xpose.corp.example", "xpose.corp.example:80"],
    ["http://xpose.corp.example", "xpose.corp.example:443"],
    ["http://evil.example", "localhost:8080"],
    ["http://127.0.0.1:8080", "localhost:8080"],
    ["http://localhost:8080.evil.example", "localhost:8080"],
    ["http://localhost:8080, http://evil.example", "localhost:8080"],
    ["file://localhost:8080", "localhost:8080"],
    ["chrome-extension://localhost:8080", "localhost:8080"],
    ["localhost:8080", "localhost:8080"],
  ])("%j to %j is foreign", (origin, host) => {
    expect(isSameOrigin(origin, host)).toBe(false);
  });
});
