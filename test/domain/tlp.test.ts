import { expect, test } from "vitest";
import { parseTlp, tlps } from "../../src/domain/tlp.ts";
import { tlp } from "../../src/wire/export.ts";

test.each(["clear", "green", "amber", "amber+strict", "red"])("16.2 %s is a mark, in any case", (name) => {
  expect([name, name.toUpperCase(), `${name[0]?.toUpperCase()}${name.slice(1)}`].map(parseTlp)).toEqual([
    name,
    name,
    name,
  ]);
});

test("16.2 white is the older name of clear", () => {
  expect(parseTlp("White")).toBe("clear");
});

test.each(["", "amber strict", "TLP:AMBER", "ultra", " red"])("%j is no mark", (text) => {
  expect(parseTlp(text)).toBeNull();
});

test("the words of the wire are those of the domain", () => {
  expect(tlp.options).toEqual(tlps);
});
