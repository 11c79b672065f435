import { expect, test } from "vitest";
import { bypassesProxy } from "../../src/egress/no-proxy.ts";

test.each([
  ["https://misp.example.org/", "misp.example.org"],
  ["https://MISP.example.org/", " Misp.Example.org "],
  ["https://misp.example.org./", "misp.example.org"],
  ["https://misp.example.org/", ".example.org"],
  ["https://a.b.example.org/", "*.example.org"],
  ["https://misp.example.org/", "misp.example.org:443"],
  ["http://misp.example.org/", "misp.example.org:80"],
  ["https://misp.example.org:8443/", ".example.org:8443"],
  ["https://misp.example.org/", "*"],
  ["https://10.1.2.3/", "10.0.0.0/8"],
  ["https://10.1.2.3/", "10.1.2.3"],
  ["https://10.1.2.3:8443/", "10.1.2.3:8443"],
  ["https://10.1.2.3:8443/", "10.0.0.0/8:8443"],
  ["https://[fd00:0:0::1]/", "fd00::/8"],
  ["https://[fd00::1]/", "fd00:0:0::1"],
  ["https://[fd00::1]:8443/", "[fd00::1]:8443"],
  ["https://1.1.1.1/", "0.0.0.0/0"],
])("%s goes direct with %s", (url, entry) => {
  expect(bypassesProxy(new URL(url), ["other.test", entry])).toBe(true);
});

test.each([
  ["https://misp.example.org/", "example.org"],
  ["https://example.org/", ".example.org"],
  ["https://badexample.org/", ".example.org"],
  ["https://misp.example.org/", "misp.example.org:8443"],
  ["https://misp.example.org/", "misp"],
  ["https://misp.example.org/", ""],
  ["https://misp.example.org/", "."],
  ["https://misp.example.org/", "0.0.0.0/0"],
  ["https://11.1.2.3/", "10.0.0.0/8"],
  ["https://10.1.2.3/", "10.0.0.0/33"],
  ["https://10.1.2.3/", "10.0.0.0/x"],
  ["https://10.1.2.3/", "10.0.0.0/"],
  ["https://10.1.2.3/", "10.1"],
  ["https://10.1.2.3/", ".3"],
  ["https://[fd00::1]/", "fe00::/8"],
])("%s goes through the proxy with %s", (url, entry) => {
  expect(bypassesProxy(new URL(url), [entry])).toBe(false);
});

test("without entries everything goes through the proxy", () => {
  expect(bypassesProxy(new URL("https://localhost/"), [])).toBe(false);
});
