import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson } from "../../src/domain/canonical-json.ts";
import { atomIds, objectId } from "../../src/formats/object-id.ts";
import { uuidBytes, uuidV5 } from "../../src/formats/uuid-v5.ts";
import { hostileText, linkedIn } from "../helpers/export-case.ts";

/** The namespace that every exported id is made in: a change would bring all objects twice into every platform. */
const namespace = uuidBytes("4a1e0f0c-5b57-5d0e-9f0b-0f6a1d2c7e31");

test("ids are those that two other implementations gave", () => {
  expect(atomIds(linkedIn)("finding")).toBe("ed50a4ca-bcd0-5dd2-b1f0-031909275ec9");
  expect(objectId("identity")).toBe("5072da21-ee6b-5ae6-a0d5-17f3e876b653");
});

test("the name of an atom's id is the RFC 8785 form of its kind, its parts and its identity", () => {
  const anyAtom = fc.record({ title: hostileText(), source_url: fc.constantFrom(null, "https://shop.example/?a=\\") });
  fc.assert(
    fc.property(anyAtom, (own) => {
      const { source, category, title, indicator_value, source_url } = { ...linkedIn, ...own };
      const name = ["ecs", "part", source, category, title, indicator_value, source_url];
      expect(atomIds({ ...linkedIn, ...own })("ecs", "part")).toBe(uuidV5(namespace, canonicalJson(name)));
      expect(objectId("scan", title)).toBe(uuidV5(namespace, canonicalJson(["scan", title])));
    }),
  );
});

test.each([
  { what: "source", other: { source: "corpus" } },
  { what: "category", other: { category: "account" } },
  { what: "title", other: { title: "Present in the LinkedIn 2012 breach" } },
  { what: "address", other: { indicator_value: "john.roe@acme.example" } },
  { what: "source_url", other: { source_url: null } },
])("another $what is another id", ({ other }) => {
  expect(atomIds({ ...linkedIn, ...other })("finding")).not.toBe(atomIds(linkedIn)("finding"));
});

test("times, severity and corroboration do not change an id", () => {
  const later = { severity: "low", last_seen: null, corroboration_count: 0, corroborated_by: [] } as const;
  expect(atomIds({ ...linkedIn, ...later })("finding")).toBe(atomIds(linkedIn)("finding"));
});
