import { expect, test } from "vitest";
import { misp } from "../../src/formats/misp.ts";
import { emptyCase, exampleCase } from "../helpers/export-case.ts";

const options = { tlp: "amber+strict", hasByteOrderMark: false } as const;

test("an event without findings holds the address and how many sources answered", () => {
  const { Event: event } = JSON.parse(misp(emptyCase, options));
  expect(event.Attribute.map(({ type, value }: { type: string; value: string }) => [type, value])).toEqual([
    ["target-email", "jane.doe@acme.example"],
    ["comment", "xpose: No finding; 2 of 2 sources answered"],
  ]);
  expect(event.Tag).toEqual([{ name: "tlp:amber+strict" }]);
});

test("the title masks the address, and never cuts a character in half", () => {
  const titleOf = (value: string) =>
    JSON.parse(misp({ ...exampleCase, indicator: { type: "email", value } }, options)).Event.info;
  expect(titleOf("jane.doe@acme.example")).toBe("xpose exposure: j…@acme.example");
  expect(titleOf("𝒶b@acme.example")).toBe("xpose exposure: 𝒶…@acme.example");
});
