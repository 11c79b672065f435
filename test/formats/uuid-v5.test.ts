import fc from "fast-check";
import { expect, test } from "vitest";
import { uuidBytes, uuidV5 } from "../../src/formats/uuid-v5.ts";

test("the example of RFC 9562, A.4", () => {
  const dns = uuidBytes("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  expect(uuidV5(dns, "www.example.com")).toBe("2ed6657d-e927-568b-95e1-2665a8aea6a2");
});

test("any name gives version 5 and the variant of RFC 9562", () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      expect(uuidV5(new Uint8Array(16), name)).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
    }),
  );
});
