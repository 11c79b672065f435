import { describe, expect, test } from "vitest";
import { type Manifest, manifestMac, manifestText, parseManifest } from "../../src/backup/manifest.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";

const hash = "0123456789abcdef".repeat(4);
const manifest: Manifest = {
  xposeVersion: "0.1.0",
  schemaVersion: 4,
  createdAt: new Date("2026-06-01T12:00:00Z"),
  auditHead: `12:${hash}`,
  members: [
    { name: "secret.key", size: 65, sha256: hash },
    { name: "audit.head", size: 68, sha256: hash },
    { name: "xpose.db", size: 4096, sha256: hash },
    { name: "corpora/3f2a8c1e-0000-4000-8000-000000000000.seg", size: 10 * 1024 ** 3, sha256: hash },
  ],
};
const text = manifestText(manifest);

function changed(fields: object): string {
  return JSON.stringify({ ...(JSON.parse(text) as object), ...fields });
}

function withMember(fields: object): string {
  return changed({ members: [...manifest.members, { name: "xpose.db", size: 1, sha256: hash, ...fields }] });
}

const parse = (given: string) => parseManifest(given, "the file", 4);

test("a manifest survives writing and reading", () => {
  expect(parse(text)).toEqual(manifest);
});

test("its length does not depend on the hashes, so its space can be reserved before they are known", () => {
  const unknown = manifest.members.map((member) => ({ ...member, sha256: "0".repeat(64) }));
  expect(manifestText({ ...manifest, members: unknown })).toHaveLength(text.length);
});

test("the MAC depends on the text and the secret", () => {
  const [one, other] = [deriveKeys(Buffer.alloc(32, 1)), deriveKeys(Buffer.alloc(32, 2))];
  expect(manifestMac(one, text)).toMatch(/^[0-9a-f]{64}\n$/);
  expect(new Set([manifestMac(one, text), manifestMac(other, text), manifestMac(one, `${text} `)]).size).toBe(3);
});

describe("a file of a newer version is refused, with that version in the message", () => {
  test.each([
    ["form", "format_version", 2],
    ["schema", "schema_version", 5],
  ])("%s", (_, key, value) => {
    const newer = changed({ xpose_version: "9.0.0", [key]: value });
    expect(() => parse(newer)).toThrow(
      expect.objectContaining({ kind: "refused", message: expect.stringContaining("newer version of xpose, 9.0.0") }),
    );
  });
});

describe("an invalid manifest is refused", () => {
  test.each([
    ["no JSON", "xpose"],
    ["null", "null"],
    ["another format", changed({ format: "zip" })],
    ["no members", changed({ members: undefined })],
    ["no database", changed({ members: manifest.members.slice(0, 2) })],
    ["an unknown key", changed({ more: 1 })],
    ["a bad time", changed({ created_at: "yesterday" })],
    ["a bad head", changed({ audit_head: "12" })],
    ["a member twice", withMember({})],
    ["a path upwards", withMember({ name: "../xpose.db" })],
    ["a path upwards in the corpora", withMember({ name: "corpora/../../xpose.seg" })],
    ["an absolute path", withMember({ name: "/etc/passwd" })],
    ["another file", withMember({ name: "xpose.toml" })],
    ["a negative size", withMember({ name: "audit.head", size: -1 })],
    ["a size beyond numbers", withMember({ name: "audit.head", size: 2 ** 60 })],
    ["a bad hash", withMember({ name: "audit.head", sha256: "00" })],
  ])("%s", (_, given) => {
    expect(() => parse(given)).toThrow(expect.objectContaining({ name: "BackupError", kind: "failed" }));
  });
});
