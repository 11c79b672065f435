import { describe, expect, test } from "vitest";
import {
  isSensitiveHost,
  isSensitiveName,
  isSensitiveSite,
  namesSensitiveSite,
  sensitiveDomains,
} from "../../src/domain/sensitive-site.ts";

test("every listed domain is a sensitive site by its domain, its subdomains and its name", () => {
  for (const domain of sensitiveDomains) {
    expect(isSensitiveSite(domain)).toBe(true);
    expect(isSensitiveSite(`www.${domain}`)).toBe(true);
    expect(isSensitiveSite(`not${domain}`)).toBe(false);
    const bytes = Buffer.from(`m.${domain}`);
    expect(isSensitiveHost(bytes, 0, bytes.length)).toBe(true);
    expect(isSensitiveName(domain.split(".")[0] ?? "")).toBe(true);
    expect(namesSensitiveSite(`A leak of ${domain} in 2021`)).toBe(true);
  }
});

describe("a name of a sensitive site", () => {
  test.each(["ashleymadison", "Ashley Madison", "AshleyMadison", "tinder", "Match", "www.pornhub.com", "7 Cups"])(
    "%s",
    (name) => {
      expect(isSensitiveName(name)).toBe(true);
    },
  );

  test.each(["linkedin", "Matchbox", "Example Shop", "", "inspired", "shop.example", "notpornhub.example"])(
    "is not %j",
    (name) => {
      expect(isSensitiveName(name)).toBe(false);
    },
  );
});

describe("a text that names a sensitive site", () => {
  test.each([
    "Present in the Ashley Madison 2015 breach",
    "Account reported on pornhub",
    "credentials for login.xvideos.com:443",
    "Adult-Friend-Finder dump",
    "https://news.example/ashley-madison-leak",
    "OnlyFans phishing",
    "ADULTFRIENDFINDER",
  ])("%s", (text) => {
    expect(namesSensitiveSite(text)).toBe(true);
  });

  test.each([
    "A match for the phishing kit",
    "They pray that it will not happen, and inspire others",
    "Present in the Example Shop 2021 breach",
    "Better help for users, talk space included",
    "https://shop.example/match",
    "bumble bees on a hinge",
    "",
  ])("is not %j", (text) => {
    expect(namesSensitiveSite(text)).toBe(false);
  });
});
