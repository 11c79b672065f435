import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyStatus, makeToken, parseToken, tokenPrefix } from "../../src/domain/api-key.ts";

/** The bytes 0 to 19. The checksums were computed with another implementation of CRC-32. */
const bytes = Uint8Array.from({ length: 20 }, (_, index) => index);
const key = "xpz_live_000102030405060708090a0b0c0d0e0f101112131ba602e7";
const operatorToken = "xpz_admin_000102030405060708090a0b0c0d0e0f1011121350047a46";

test("a token is its prefix, 40 digits of randomness and 8 digits of CRC-32", () => {
  expect(makeToken("key", bytes)).toBe(key);
  expect(makeToken("operator", bytes)).toBe(operatorToken);
});

test("the checksum is the IEEE CRC-32 of the text before it, zero-padded", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (random) => {
      const token = makeToken("key", random);
      expect(token).toMatch(/^xpz_live_[0-9a-f]{48}$/);
      expect(token.slice(-8)).toBe(crc32(token.slice(0, -8)).toString(16).padStart(8, "0"));
      expect(parseToken("key", token)).toBe(token);
    }),
  );
});

test.each([19, 21, 0])("a token cannot be made from %i random bytes", (length) => {
  expect(() => makeToken("key", new Uint8Array(length))).toThrow(RangeError);
});

describe("a malformed token is refused", () => {
  test.each([
    { why: "empty", text: "" },
    { why: "wrong checksum", text: `${key.slice(0, -1)}8` },
    { why: "one digit mistyped", text: key.replace("0708", "0709") },
    { why: "two digits swapped", text: key.replace("0102", "0120") },
    { why: "upper case", text: key.replace("0a0b", "0A0B") },
    { why: "too short", text: key.slice(0, -1) },
    { why: "too long", text: `${key}0` },
    { why: "a line break after it", text: `${key}\n` },
    { why: "a blank before it", text: ` ${key}` },
    { why: "another prefix", text: key.replace("live", "test") },
    { why: "an operator token", text: operatorToken },
    { why: "full-width digits", text: key.replace("00", "\uff10\uff10") },
  ])("$why", ({ text }) => {
    expect(parseToken("key", text)).toBeNull();
  });
});

test("an API key is not an operator token", () => {
  expect(parseToken("operator", key)).toBeNull();
  expect(parseToken("operator", operatorToken)).toBe(operatorToken);
});

test("lists show the first 13 characters of a key", () => {
  const parsed = parseToken("key", key);
  expect(parsed === null ? null : tokenPrefix(parsed)).toBe("xpz_live_0001");
});

describe("the status of a key", () => {
  const now = new Date("2026-06-01T12:00:00Z");
  const earlier = new Date("2026-06-01T11:59:59Z");
  const later = new Date("2026-06-01T12:00:01Z");
  test.each([
    { name: "neither revoked nor ending", revokedAt: null, expiresAt: null, status: "active" },
    { name: "ends later", revokedAt: null, expiresAt: later, status: "active" },
    { name: "ends now", revokedAt: null, expiresAt: now, status: "expired" },
    { name: "ended", revokedAt: null, expiresAt: earlier, status: "expired" },
    { name: "revoked", revokedAt: earlier, expiresAt: null, status: "revoked" },
    { name: "revoked, would end later", revokedAt: earlier, expiresAt: later, status: "revoked" },
    { name: "revoked and ended", revokedAt: earlier, expiresAt: earlier, status: "revoked" },
  ])("$name: $status", ({ revokedAt, expiresAt, status }) => {
    expect(keyStatus({ revokedAt, expiresAt }, now)).toBe(status);
  });
});
