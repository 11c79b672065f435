import { expect, test } from "vitest";
import { canonicalJson } from "../../src/domain/canonical-json.ts";

test("the canonical form follows RFC 8785", () => {
  expect(canonicalJson({ b: [1, "é", 1e21, -0], a: { z: null, y: "\u0007" } })).toBe(
    '{"a":{"y":"\\u0007","z":null},"b":[1,"é",1e+21,0]}',
  );
  expect(() => canonicalJson(undefined)).toThrow(TypeError);
});
