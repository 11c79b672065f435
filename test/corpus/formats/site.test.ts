import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineScanner } from "../../../src/corpus/formats/line-scanner.ts";
import { isPublicTopLevel, siteOf } from "../../../src/corpus/formats/site.ts";
import { corpusPrefixSize } from "../../../src/domain/keyed-hash.ts";
import { sensitiveDomains } from "../../../src/domain/sensitive-site.ts";

const withScheme = { isBareHostAllowed: false };
const bare = { isBareHostAllowed: true };

describe("a URL with a scheme names its host", () => {
  test.each([
    ["https://shop.example/login", "shop.example"],
    ["HTTPS://WWW.Shop.Example/", "shop.example"],
    ["http://shop.example:8080", "shop.example"],
    ["http://shop.example:", "shop.example"],
    ["https://shop.example?x=1#y", "shop.example"],
    ["https://shop.example./", "shop.example"],
    ["https://user@shop.example/", "shop.example"],
    ["https://user:pass@shop.example/", "shop.example"],
    ["https://jane@example.com:pass@shop.example/", "shop.example"],
    ["https://https://shop.example/", "shop.example"],
    ["https:\\/\\/shop.example\\/x", "shop.example"],
    ["https://bücher.example/", "xn--bcher-kva.example"],
    ["https://XN--BCHER-KVA.example/", "xn--bcher-kva.example"],
    ["ftp://files.corp/", "files.corp"],
    ["http://intranet/", "intranet"],
    ["http://localhost:3000/", "localhost"],
    ["http://nas.local", "nas.local"],
    ["https://www.com/", "www.com"],
    ['"https://shop.example/"', "shop.example"],
    [" \ufeffhttps://shop.example/\0 ", "shop.example"],
    ["https://shop.example/@user", "shop.example"],
    ["android://a1/b2==@com.example.shop/", "com.example.shop"],
    ["android://com.example.shop_app/", "com.example.shop_app"],
    ["http://li.wang", "li.wang"],
  ])("%s", (text, site) => {
    expect(siteOf(text, withScheme)).toBe(site);
    expect(siteOf(text, bare)).toBe(site);
  });

  test.each([
    "https://192.0.2.1/",
    "https://192.0.2.1:8080/",
    "https://[2001:db8::1]/",
    "http://3232235521/",
    "https://user_name.example/",
    "https://user:pa/ss@shop.example/",
    "https://jane.doe:pa/ss@shop.example/",
    "https://jane.doe:12/ss@shop.example/",
    "https://jane/ss@shop.example/",
    "https://0123456789abcdef0123456789abcdef.example/",
    "https://a1b2c3d4e5f6g7h8i9j0k1.example/",
    `https://${"x".repeat(45)}.example/`,
    "https://www.tinder.com/",
    "https://de.badoo.com/",
    "file:///home/jane/x",
    "chrome-extension://abcdef/x",
    "chrome://FirefoxAccounts",
    "javascript://x.y",
    "android://x==@single/",
    "https://",
    "https:///x",
    "https://-x.example/",
    "://shop.example",
    "",
  ])("%s names no site", (text) => {
    expect(siteOf(text, withScheme)).toBeNull();
    expect(siteOf(text, bare)).toBeNull();
  });
});

describe("without a scheme, a host under a public suffix with a path or port is a site", () => {
  test.each([
    ["shop.example.org/login", "shop.example.org"],
    ["www.shop.co.uk/login", "shop.co.uk"],
    ["shop.example.org:8443", "shop.example.org"],
    ["shop.example.org:8443/x", "shop.example.org"],
    ["почта.рф/", "xn--80a1acny.xn--p1ai"],
    ["example.pl/login", "example.pl"],
    ["www.shop.co.in/login", "shop.co.in"],
    ["cash.app/login", "cash.app"],
    ["www.example.pl:8443", "example.pl"],
    ["a.example.pl:8443", "a.example.pl"],
  ])("%s", (text, site) => {
    expect(siteOf(text, withScheme)).toBe(site);
  });

  test.each([
    "shop.example/login",
    "nas.local:8080",
    "intranet/login",
    "hunter2.secret/x",
    "leak.zip/x",
    "query.sh:12",
    "README.md:3",
    "query.pl:12",
    "dump.txt:12",
    "forum.example.org.txt/",
    "192.0.2.1/x",
    "jane.doe@example.com/x",
    "user:pass@shop.example.org/",
    "co.uk/x",
    "com/x",
    "shop.example.org?x=1",
    "shop.example.org#x",
    "shop.example.org",
  ])("%s is not a site", (text) => {
    expect(siteOf(text, withScheme)).toBeNull();
  });
});

describe("a bare host is a site if the plan allows it, and never if it could be a user or a file", () => {
  test.each([
    ["forum.example.org", "forum.example.org"],
    ["www.example.org", "example.org"],
    ["example.com", "example.com"],
    ["amazon.de", "amazon.de"],
    ["mail.example.pl", "mail.example.pl"],
    ["www.example.pl", "example.pl"],
    ["shop.co.uk", "shop.co.uk"],
    ["www.li.wang", "li.wang"],
    ["shop.example/login", "shop.example"],
    ["www.shop.example", "shop.example"],
    ["nas.local:8080", "nas.local"],
  ])("%s", (text, site) => {
    expect(siteOf(text, bare)).toBe(site);
  });

  test.each([
    "li.wang",
    "jo.moe",
    "anna.ruhr",
    "max.gold",
    "kim.ly",
    "jo.me",
    "leak.zip",
    "forum.example.org.zip",
    "query.sh",
    "list.py",
    "list.pl",
    "forum.example.org.sh",
    "README.md",
    "dump.txt",
    "old.sql",
    "forum.example.org.txt",
    "shop.example",
    "pass.word",
    "pass.word/x",
    "jane.doe@example.com",
    "co.uk",
    "com",
    "intranet",
    "192.0.2.1",
  ])("%s is not a site", (text) => {
    expect(siteOf(text, bare)).toBeNull();
  });
});

test("any text gives only a domain or a package name, and never a sensitive one", () => {
  const part = fc.constantFrom(
    ..."ab09.-_@:/?#\\%[] \"'<>|;,",
    "https://",
    "www.",
    "example.org",
    "zq7",
    "android://",
    ...sensitiveDomains,
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(part, fc.string({ maxLength: 3 })), { maxLength: 8 }),
      fc.boolean(),
      (parts, isBareHostAllowed) => {
        const site = siteOf(parts.join(""), { isBareHostAllowed });
        if (site === null) return;
        expect(site).toMatch(/^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9_-])?$/);
        expect(sensitiveDomains.filter((one) => site === one || site.endsWith(`.${one}`))).toEqual([]);
      },
    ),
    { numRuns: 20_000 },
  );
});

test("the scanner finds the same sites in bytes, or leaves them to siteOf", () => {
  const scanner = new LineScanner(new Uint8Array(corpusPrefixSize));
  const label = fc.constantFrom(
    "shop",
    "www",
    "a-b",
    "x1",
    "li",
    "example",
    "tinder",
    "com",
    "a--b",
    "",
    "xn--a",
    "intranet",
    "0123456789abcdef0123456789abcdef",
  );
  const topLevel = fc.constantFrom(
    "com",
    "org",
    "uk",
    "co.uk",
    "wang",
    "zip",
    "sh",
    "example",
    "local",
    "xn--p1ai",
    "museum",
    "txt",
    "c0m",
    "",
  );
  const rest = fc.constantFrom("", "/", "/x", ":80", ":80/x", ":", "?x", ":x", "@y", ":80:x", ".", "./");
  const scheme = fc.constantFrom("https://", "http://", "HTTP://", "ftp://", "", "", "", "https://user@");
  fc.assert(
    fc.property(scheme, fc.array(label, { maxLength: 3 }), topLevel, rest, (start, labels, last, end) => {
      const text = `${start}${[...labels, last].join(".")}${end}`;
      const bytes = Buffer.from(`${text}\n`);
      for (const isHost of [false, true]) {
        if (!scanner.scanSite(bytes, 0, text.length, isHost ? isPublicTopLevel : null)) continue;
        const fields = Buffer.from(scanner.fields.subarray(0, scanner.fieldsSize)).toString();
        expect(JSON.parse(fields)).toEqual({ subject: siteOf(text, { isBareHostAllowed: isHost }) });
      }
    }),
    { numRuns: 20_000 },
  );
});
