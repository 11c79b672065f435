import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalDomain } from "../../src/domain/email.ts";
import { serviceDomains } from "../../src/domain/service-domains.ts";
import { generalSubjects, slug, subjectOf } from "../../src/domain/subject.ts";
import { anyText } from "../helpers/any-text.ts";

describe("a subject is the domain of the service, else the slug of the name (contract 7.5)", () => {
  test.each([
    { from: "domain", text: "linkedin.com", subject: "linkedin.com" },
    { from: "domain with www", text: "www.linkedin.com", subject: "linkedin.com" },
    { from: "domain in upper case with blanks", text: " WWW.LinkedIn.COM ", subject: "linkedin.com" },
    { from: "URL", text: "https://www.linkedin.com/login?x=1", subject: "linkedin.com" },
    { from: "URL with a port", text: "http://shop.example:8080/", subject: "shop.example" },
    { from: "international domain", text: "bücher.example", subject: "xn--bcher-kva.example" },
    { from: "subdomain stays", text: "forum.shop.example", subject: "forum.shop.example" },
    { from: "name of a service", text: "LinkedIn", subject: "linkedin.com" },
    { from: "name of a service with blanks", text: "  My Fitness Pal ", subject: "myfitnesspal.com" },
    { from: "name with a sign", text: "mail_ru", subject: "mail.ru" },
    { from: "both names of one service", text: "X", subject: "twitter.com" },
    { from: "unknown name", text: "Example Shop!", subject: "example-shop" },
    { from: "name of a leak", text: "Collection #1", subject: "collection-1" },
    { from: "full-width letters", text: "Ｅｘａｍｐｌｅ", subject: "example" },
    { from: "other script", text: "用户 Ж", subject: "用户-ж" },
    { from: "number with a dot", text: "v1.2", subject: "v1-2" },
    { from: "general", text: "any-breach", subject: "any-breach" },
    { from: "general in upper case", text: " Any-Paste ", subject: "any-paste" },
    { from: "nothing", text: "", subject: "unnamed" },
    { from: "signs only", text: "!?*", subject: "unnamed" },
    { from: "lone surrogate", text: "\ud800", subject: "unnamed" },
  ])("$from: $subject", ({ text, subject }) => {
    expect(subjectOf(text)).toBe(subject);
  });
});

test("an alias takes precedence over the built-in list", () => {
  const aliases = new Map([
    ["example-shop", "shop.example"],
    ["linkedin", "linkedin.example"],
  ]);
  expect(subjectOf("Example Shop", aliases)).toBe("shop.example");
  expect(subjectOf("LinkedIn", aliases)).toBe("linkedin.example");
  expect(subjectOf("Spotify", aliases)).toBe("spotify.com");
});

test("every general subject maps to itself", () => {
  for (const subject of Object.keys(generalSubjects)) expect(subjectOf(subject)).toBe(subject);
});

test("any text has a subject: well-formed, bounded, without colon or blank, and idempotent", () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      const subject = subjectOf(text);
      expect(subject).toMatch(/^[\p{L}\p{M}\p{N}.-]+$/u);
      expect(subject.isWellFormed()).toBe(true);
      expect(subjectOf(subject)).toBe(subject);
    }),
    { numRuns: 2000 },
  );
});

test("a long name is cut between characters", () => {
  const subject = subjectOf("𐐀".repeat(500));
  expect([...subject]).toHaveLength(253);
  expect(subject.isWellFormed()).toBe(true);
});

describe("the list of services", () => {
  const names = [...serviceDomains.keys()];

  test("has at least 330 services", () => {
    expect(new Set(serviceDomains.values()).size).toBeGreaterThanOrEqual(330);
  });

  test("has each name as a slug, sorted", () => {
    expect(names.filter((name) => slug(name) !== name)).toEqual([]);
    expect(names).toEqual([...names].sort());
  });

  test("has each domain in canonical form without www", () => {
    expect([...serviceDomains].filter(([, name]) => canonicalDomain(name) !== name || name.startsWith("www."))).toEqual(
      [],
    );
  });

  test("has no name that equals a general subject", () => {
    expect(names.filter((name) => Object.hasOwn(generalSubjects, name))).toEqual([]);
  });

  test.each([
    "spotify:spotify.com twitter:twitter.com github:github.com adobe:adobe.com dropbox:dropbox.com canva:canva.com",
    "myspace:myspace.com tumblr:tumblr.com last-fm:last.fm lastfm:last.fm duolingo:duolingo.com gravatar:gravatar.com",
    "pinterest:pinterest.com instagram:instagram.com facebook:facebook.com flickr:flickr.com foursquare:foursquare.com",
    "linkedin:linkedin.com linked-in:linkedin.com myfitnesspal:myfitnesspal.com zynga:zynga.com dubsmash:dubsmash.com",
    "deezer:deezer.com wattpad:wattpad.com 8fit:8fit.com 500px:500px.com mail-ru:mail.ru odnoklassniki:ok.ru",
    "discord:discord.com anydo:any.do codepen:codepen.io vsco:vsco.co sevencups:7cups.com taringa:taringa.net",
  ])("knows %s", (pairs) => {
    for (const pair of pairs.split(" ")) {
      const [name = "", domain] = pair.split(":");
      expect(serviceDomains.get(name)).toBe(domain);
    }
  });
});
