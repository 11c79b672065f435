import { describe, expect, test } from "vitest";
import { mayHoldSecret, mayUrlHoldSecret } from "../../src/corpus/secret-like.ts";

describe("a text may be kept", () => {
  test.each([
    "Present in the ExampleShop 2021 breach",
    "Present in the Collection #1 breach",
    "Present in the 000webhost breach",
    "Listed in MISP event 4711 (TA505)",
    "Passwords and emails of Example Shop",
    "SHA256 hashes, 12m rows, 10GB",
    "CVE-2026-12345 of 1st May",
    "Raccoon v2.3 logs",
    "example-shop-2021",
    "shop24.example.com",
    "123RF.com",
    "AT&T",
    "Größe",
    "C#",
    "Exploit.In",
    "see https://shop.example/breaches/42",
    "any-breach",
    "leak7",
  ])("%s", (text) => {
    expect(mayHoldSecret(text)).toBe(false);
  });
});

describe("a text may hold an address or a secret", () => {
  test.each([
    "of jane.doe@example.com",
    "of jane.doe%40example.com",
    "My password is hunter please",
    "Das Passwort lautet Hund",
    "Password: x",
    "Zq7hunter2",
    "Login Zq7x broken",
    "Zq7-summer",
    "ZQ7!secret",
    "zq7_x",
    "hunter.zq7",
    "Zq7grün",
    "Summer2021",
    "P@ssw0rd",
    "correct#horse",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "see https://shop.example/Zq7path",
    "x".repeat(70),
  ])("%s", (text) => {
    expect(mayHoldSecret(text)).toBe(true);
  });
});

test.each([
  "https://shop.example/x",
  "https://haveibeenpwned.com/Breach/000webhost",
  "https://misp.example/events/view/5f0c2b6e-1111-4222-8333-444455556666",
  "https://pastebin.com/aB3dE5fG",
  "https://cert.example/2021/42?id=77#top",
])("the URL %s may be kept", (url) => {
  expect(mayUrlHoldSecret(url)).toBe(false);
});

test.each([
  "https://portal.example/Zq7path",
  "https://shop.example/?user=Zq7name&p=1",
  "http://intra.corp.example:8443/#Zq7",
  "https://shop.example/?u=jane.doe%40example.com",
  "https://shop.example/reset?token=abcdef",
  "https://shop.example/my%20name",
])("the URL %s may hold a secret", (url) => {
  expect(mayUrlHoldSecret(url)).toBe(true);
});
