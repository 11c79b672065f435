import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Config, loadConfig } from "../../src/config/config.ts";
import { settingKeys } from "../helpers/setting-keys.ts";

const example = readFileSync(fileURLToPath(new URL("../../systemd/xpose.toml", import.meta.url)), "utf8");
/** The example with all settings uncommented. Prose has a space after its #, settings do not. */
const uncommented = example.replaceAll(/^#(?=[[a-z])/gm, "");

function configOf(toml: string): Config {
  const folder = mkdtempSync(join(tmpdir(), "xpose-example-"));
  try {
    const file = join(folder, "xpose.toml");
    writeFileSync(file, toml);
    const { config, warnings } = loadConfig({ flags: { config: file }, env: {}, needs: { sourceSecrets: true } });
    expect(warnings).toEqual([]);
    return config;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Lines such as `server.listen.host: 127.0.0.1` for all values that are set. */
function leaves(value: unknown, path = ""): string[] {
  if (value === null || (Array.isArray(value) && value.length === 0)) return [];
  if (typeof value !== "object") return [`${path}: ${String(value)}`];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === "" ? key : `${path}.${key}`));
}

test("the shipped example sets nothing", () => {
  expect(configOf(example)).toEqual(configOf(""));
});

test("every setting of the example can be uncommented, and shows the default if there is one", () => {
  // A key and its file exclude each other.
  const files = /^(?:api_key_file = .*|secret_file = .*webhook.*)$/gm;
  const { sources, ...config } = configOf(uncommented.replaceAll(files, ""));
  expect(leaves(config)).toEqual(expect.arrayContaining(leaves(configOf(""))));
  const declared = '[[sources.http]]\nname = "intranet"\nurl = "https://intranet.example.com/exposure/{email}"';
  const { fingerprintText, ...defaults } = configOf(declared).sources[0] ?? {};
  expect(leaves(sources.find(({ name }) => name === "intranet"))).toEqual(expect.arrayContaining(leaves(defaults)));
  expect(sources.map(({ name }) => name).sort()).toEqual(["emailrep", "hibp", "holehe", "intranet", "misp"]);
});

test("every key of the configuration is in the example, once", () => {
  const keys: string[] = [];
  let table = "";
  for (const line of uncommented.split("\n")) {
    table = /^\[+([^\]]+)\]+$/.exec(line)?.[1] ?? table;
    const key = /^([a-z_]+) = /.exec(line)?.[1];
    if (key !== undefined) keys.push(table === "" ? key : `${table}.${key}`);
  }
  expect(keys.sort()).toEqual(settingKeys().sort());
});

test("every setting of the example is explained in the lines above it", () => {
  const blocks = example.split("\n\n").filter((block) => /^#[a-z]/m.test(block));
  expect(blocks.length).toBeGreaterThan(20);
  for (const block of blocks) expect(block).toMatch(/^(?:\[\w+\]\n)?# /);
});
