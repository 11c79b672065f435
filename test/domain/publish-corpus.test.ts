import { describe, expect, test } from "vitest";
import { publishCorpus } from "../../src/domain/publish-corpus.ts";
import { acme } from "../helpers/call-facts.ts";

const own = { value: "shop", isGiven: false };
const given = { value: "vendor", isGiven: true };
const wish = { name: "shop", scope: null, confidence: { value: 0.7, isGiven: false }, origin: own };
const existing = { scope: null, confidence: 0.5, origin: "shop" };

describe("the corpus of an import (docs/pipeline.md 21.1)", () => {
  test.each([
    {
      what: "a new name",
      wish,
      existing: null,
      twin: null,
      isKnown: false,
      is: { confidence: 0.7, origin: "shop", hasChanged: true },
    },
    {
      what: "another file",
      wish,
      existing,
      twin: null,
      isKnown: false,
      is: { confidence: 0.5, origin: "shop", hasChanged: true },
    },
    {
      what: "the same file",
      wish,
      existing,
      twin: null,
      isKnown: true,
      is: { confidence: 0.5, origin: "shop", hasChanged: false },
    },
    {
      what: "a confidence that was asked for",
      wish: { ...wish, confidence: { value: 0.9, isGiven: true } },
      existing,
      twin: null,
      isKnown: true,
      is: { confidence: 0.9, origin: "shop", hasChanged: true },
    },
    {
      what: "equal content is one witness",
      wish,
      existing: null,
      twin: { origin: "twin" },
      isKnown: false,
      is: { confidence: 0.7, origin: "twin", hasChanged: true },
    },
    {
      what: "also when the twin comes later",
      wish,
      existing,
      twin: { origin: "twin" },
      isKnown: true,
      is: { confidence: 0.5, origin: "twin", hasChanged: true },
    },
    {
      what: "an origin of its own stays",
      wish,
      existing: { ...existing, origin: "vendor" },
      twin: { origin: "twin" },
      isKnown: true,
      is: { confidence: 0.5, origin: "vendor", hasChanged: false },
    },
    {
      what: "an origin that was asked for",
      wish: { ...wish, origin: given },
      existing,
      twin: { origin: "twin" },
      isKnown: true,
      is: { confidence: 0.5, origin: "vendor", hasChanged: true },
    },
  ])("$what", ({ wish, existing, twin, isKnown, is }) => {
    expect(publishCorpus(wish, existing, twin, isKnown)).toEqual(is);
  });

  test("a corpus of others is refused", () => {
    const publish = () => publishCorpus({ ...wish, scope: acme.id }, existing, null, false);
    expect(publish).toThrow("The corpus of that name has another scope");
  });
});
