import { describe, expect, test } from "vitest";
import { makeToken } from "../../src/domain/api-key.ts";
import { deriveKeys, keyedHash } from "../../src/domain/keyed-hash.ts";
import { apiKeyHash } from "../../src/http/credentials.ts";

const keys = deriveKeys(new Uint8Array(32).fill(1));
const token = makeToken("key", new Uint8Array(20).fill(0xab));
const operatorToken = makeToken("operator", new Uint8Array(20).fill(0xab));
const lastDigit = token.endsWith("0") ? "1" : "0";

test("a well-formed key is hashed under the server secret; the hash depends on the secret", () => {
  const headers = new Headers({ "x-api-key": token });
  expect(apiKeyHash(headers, keys)).toBe(keyedHash(keys.token, token));
  expect(apiKeyHash(headers, deriveKeys(new Uint8Array(32).fill(2)))).not.toBe(keyedHash(keys.token, token));
});

describe("1.1-1.3 a malformed key is recognised without a look-up", () => {
  test.each([
    { what: "nothing", headers: [] },
    { what: "an empty value", headers: [["X-API-Key", ""]] },
    {
      what: "the key twice",
      headers: [
        ["X-API-Key", token],
        ["X-API-Key", token],
      ],
    },
    {
      what: "the key and another value",
      headers: [
        ["X-API-Key", token],
        ["X-API-Key", "x"],
      ],
    },
    { what: "a wrong checksum", headers: [["X-API-Key", token.slice(0, -1) + lastDigit]] },
    { what: "upper case", headers: [["X-API-Key", token.toUpperCase()]] },
    { what: "upper-case digits", headers: [["X-API-Key", `xpz_live_${token.slice(9).toUpperCase()}`]] },
    { what: "a cut key", headers: [["X-API-Key", token.slice(0, -1)]] },
    { what: "a longer key", headers: [["X-API-Key", `${token}0`]] },
    { what: "a scheme before it", headers: [["X-API-Key", `ApiKey ${token}`]] },
    { what: "quotes", headers: [["X-API-Key", `"${token}"`]] },
    { what: "an operator token", headers: [["X-API-Key", operatorToken]] },
    { what: "Authorization: Bearer", headers: [["Authorization", `Bearer ${token}`]] },
    { what: "Authorization: ApiKey", headers: [["Authorization", `ApiKey ${token}`]] },
    { what: "a cookie", headers: [["Cookie", `X-API-Key=${token}`]] },
  ] satisfies { what: string; headers: [string, string][] }[])("$what is none", ({ headers }) => {
    expect(apiKeyHash(new Headers(headers), keys)).toBeNull();
  });
});
