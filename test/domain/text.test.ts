import fc from "fast-check";
import { expect, test } from "vitest";
import { oneLine } from "../../src/domain/text.ts";
import { anyText } from "../helpers/any-text.ts";

test("cutting a line to any length never splits a surrogate pair", () => {
  fc.assert(
    fc.property(anyText(), fc.integer({ min: 1, max: 20 }), (text, length) => {
      const line = oneLine(text, length);
      expect(line.length).toBeLessThanOrEqual(length);
      expect(line.isWellFormed()).toBe(true);
      expect(oneLine(line, length)).toBe(line);
    }),
    { numRuns: 1000 },
  );
});
