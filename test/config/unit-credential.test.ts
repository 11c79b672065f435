import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unitCredential } from "../../src/config/unit-credential.ts";

let root: string;
const folders = () => [join(root, "etc"), join(root, "lib")];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "xpose-unit-"));
  for (const folder of folders()) mkdirSync(join(folder, "xpose.service.d"), { recursive: true });
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

const write = (name: string, ...lines: string[]) => writeFileSync(join(root, name), `[Service]\n${lines.join("\n")}\n`);
const secret = () => unitCredential("xpose_secret", folders());

test("a credential is found in the unit, and a drop-in overrides it", () => {
  expect(secret()).toBeNull();
  write("lib/xpose.service", "#LoadCredential=xpose_secret:/off", "LoadCredential=xpose_secret:/lib/secret");
  expect(secret()).toBe("/lib/secret");
  write("etc/xpose.service", "LoadCredential=xpose_secret:/etc/secret", "LoadCredential=hibp_api_key:/etc/hibp");
  expect([secret(), unitCredential("hibp_api_key", folders())]).toEqual(["/etc/secret", "/etc/hibp"]);
  write("lib/xpose.service.d/20.conf", "LoadCredential=xpose_secret:/lib/20");
  write("etc/xpose.service.d/10.conf", "LoadCredential=xpose_secret:/etc/10");
  expect(secret()).toBe("/lib/20");
  write("etc/xpose.service.d/20.conf", "LoadCredential = xpose_secret:/etc/20 ");
  expect(secret()).toBe("/etc/20");
});

test("an empty assignment forgets earlier ones, and other names and relative sources do not count", () => {
  write("etc/xpose.service", "LoadCredential=xpose_secret:/etc/secret");
  write(
    "etc/xpose.service.d/a.conf",
    "LoadCredential=",
    "LoadCredential=other_secret:/x",
    "LoadCredential=xpose_secret:x",
  );
  write("etc/xpose.service.d/b.conf.bak", "LoadCredential=xpose_secret:/bak");
  expect(secret()).toBeNull();
});
