import { createHmac, hkdfSync } from "node:crypto";
import { expect, test } from "vitest";
import type { Indicator } from "../../src/domain/indicator.ts";
import { corpusHash, deriveKeys, indicatorHash, keyedHash } from "../../src/domain/keyed-hash.ts";

const secret = Buffer.alloc(32, 7);
const keys = deriveKeys(secret);
const jane: Indicator = { type: "email", value: "jane.doe@example.com" };

test("the same secret derives the same keys, and another secret derives other keys", () => {
  expect(deriveKeys(Buffer.alloc(32, 7))).toEqual(keys);
  expect(deriveKeys(Buffer.alloc(32, 8)).token).not.toEqual(keys.token);
});

test("each purpose has its own key of 32 bytes, and no key is the secret", () => {
  const all = [secret, ...Object.values(keys)].map((key) => key.toString("hex"));
  expect(new Set(all).size).toBe(all.length);
  expect(all.every((key) => key.length === 64)).toBe(true);
});

test("derived keys are the same in every release, because stored hashes depend on them", () => {
  const expected = Buffer.from(hkdfSync("sha256", secret, "", "xpose/1/token", 32));
  expect(keys.token).toEqual(expected);
  expect(keyedHash(keys.token, "text")).toBe(createHmac("sha256", expected).update("text").digest("hex"));
});

test("the hash of an indicator depends on its value, its type and the key", () => {
  const hash = indicatorHash(keys, jane);
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(indicatorHash(keys, { ...jane })).toBe(hash);
  expect(indicatorHash(keys, { ...jane, value: "john.doe@example.com" })).not.toBe(hash);
  expect(indicatorHash(deriveKeys(Buffer.alloc(32, 8)), jane)).not.toBe(hash);
  expect(keyedHash(keys.indicator, jane.value)).not.toBe(hash);
});

test("the corpus hash has 8 bytes and is not a part of the other hash", () => {
  const hash = corpusHash(keys, jane);
  expect(hash).toHaveLength(8);
  expect(corpusHash(keys, { ...jane })).toEqual(hash);
  expect(indicatorHash(keys, jane)).not.toContain(hash.toString("hex"));
});
