import { expect, test } from "vitest";
import { type Tlp, tlps } from "../../src/domain/tlp.ts";
import { stix } from "../../src/formats/stix.ts";
import type { CompletedCase } from "../../src/wire/case.ts";
import { caseOf, emptyCase, exampleCase, linkedIn, run } from "../helpers/export-case.ts";

function objectsOf(exported: CompletedCase, tlp: Tlp = "amber") {
  return JSON.parse(stix(exported, { tlp, hasByteOrderMark: false })).objects;
}

// Two of ten published files have a typing error in AMBER+STRICT: these are the ids of OASIS.
test.each([
  ["clear", "94868c89-83c2-464b-929b-a1a8aa3c8487"],
  ["green", "bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
  ["amber", "55d920b0-5e8b-4f79-9ee9-91f868d9b421"],
  ["amber+strict", "939a9414-2ddd-4d32-a0cd-375ea402b003"],
  ["red", "e828b379-4e03-4974-9ac4-e53a884c97c1"],
] as const)("TLP %s is the published marking, and all but it and the identity carry it", (tlp, id) => {
  const [marking, identity, ...others] = objectsOf(exampleCase, tlp);
  expect(marking).toMatchObject({ id: `marking-definition--${id}`, name: `TLP:${tlp.toUpperCase()}` });
  expect(marking).not.toHaveProperty("definition_type");
  expect(identity).not.toHaveProperty("object_marking_refs");
  for (const object of others) expect(object.object_marking_refs).toEqual([marking.id]);
});

test("another mark is another bundle of the same objects", () => {
  const bundles = tlps.map((tlp) => JSON.parse(stix(exampleCase, { tlp, hasByteOrderMark: false })));
  expect(new Set(bundles.map(({ id }) => id)).size).toBe(tlps.length);
  const ids = bundles.map(({ objects }) =>
    objects
      .slice(1)
      .map(({ id }: { id: string }) => id)
      .join(),
  );
  expect(new Set(ids).size).toBe(1);
});

test("the id of the address is the one that python-stix2 gives it", () => {
  expect(objectsOf(emptyCase)[2]).toMatchObject({
    type: "email-addr",
    id: "email-addr--5e548dc7-d8aa-5feb-a893-166d3e9b6cd3",
    value: "jane.doe@acme.example",
  });
});

test("a later scan gives a newer version of the same object: created stays, modified moves", () => {
  const later = caseOf([{ ...linkedIn, last_seen: "2026-07-28T22:41:00+00:00" }], [run("hibp")]);
  const [before, after] = [exampleCase, later].map((one) => objectsOf(one)[4]);
  expect(after).toMatchObject({ id: before.id, created: before.created, modified: "2026-07-28T22:41:00.000Z" });
});

test.each([
  { times: [null, null], expected: ["2026-06-28T22:41:00.000Z", "2026-06-28T22:41:00.000Z"] },
  { times: [null, "2026-01-02T00:00:00+00:00"], expected: ["2026-01-02T00:00:00.000Z", "2026-01-02T00:00:00.000Z"] },
  { times: ["2026-01-02T00:00:00+00:00", null], expected: ["2026-01-02T00:00:00.000Z", "2026-01-02T00:00:00.000Z"] },
  // A clock was set back between two answers.
  {
    times: ["2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00"],
    expected: ["2026-01-02T00:00:00.000Z", "2026-01-02T00:00:00.000Z"],
  },
])("times $times become $expected", ({ times: [first_seen = null, last_seen = null], expected: [first, last] }) => {
  const [observed, note] = objectsOf(caseOf([{ ...linkedIn, first_seen, last_seen }], [run("hibp")])).slice(3);
  expect(observed).toMatchObject({ created: first, modified: last, first_observed: first, last_observed: last });
  expect(note).toMatchObject({ created: first, modified: last });
});

test("without a web address there are no external references", () => {
  const [, note] = objectsOf(caseOf([{ ...linkedIn, source_url: null }], [run("hibp")])).slice(3);
  expect(note).not.toHaveProperty("external_references");
});

test("the last note tells a whole result from a partial one", () => {
  expect(objectsOf(emptyCase).at(-1)).toMatchObject({
    abstract: "xpose: No finding; 2 of 2 sources answered",
    labels: ["xpose:complete"],
  });
  expect(objectsOf(exampleCase).at(-1).labels).toEqual(["xpose:partial", "failed:emailrep", "skipped:misp"]);
});
