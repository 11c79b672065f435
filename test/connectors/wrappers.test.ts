import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { folderOf } from "./run-driver.ts";

/** The files around the connectors that are built into the executable; a program of ours stands for the executable. */
const folder = mkdtempSync(join(tmpdir(), "xpose-wrappers-"));
afterAll(() => rmSync(folder, { recursive: true }));
const program = join(folder, "xpose");
writeFileSync(
  program,
  '#!/bin/sh\nprintf "%s\\n" "$@"\nprintf "LD=%s URL=%s KEY_FILE=%s\\n" "$LD_LIBRARY_PATH" "$XPOSE_URL" "$XPOSE_API_KEY_FILE"\ncat\n',
  { mode: 0o755 },
);

function run(file: string, args: readonly string[], input = "") {
  const environment = { PATH: "/usr/bin:/bin", XPOSE_BIN: program, LD_LIBRARY_PATH: "/opt/splunk/lib" };
  return spawnSync(file, args, { input, encoding: "utf8", env: environment }).stdout;
}

describe("cortex", () => {
  const read = (file: string) => readFileSync(`${folderOf("cortex")}${file}`, "utf8");
  const descriptor = JSON.parse(read("Xpose/Xpose_Exposure.json"));

  test("the wrapper hands the job folder on", () => {
    expect(run(`${folderOf("cortex")}Xpose/xpose-cortex`, ["/tmp/job"])).toMatch(/^connector\ncortex\n\/tmp\/job\n/);
    expect(read("Xpose/xpose-cortex").trim().split("\n").length).toBe(3);
  });

  test("the descriptor is the one that Cortex wants, and the one for a container differs in the command alone", () => {
    const { command, ...rest } = descriptor;
    const { dockerImage, ...others } = JSON.parse(read("Xpose/Xpose_Exposure_docker.json"));
    expect(others).toEqual(rest);
    expect([command, typeof dockerImage]).toEqual(["Xpose/xpose-cortex", "string"]);
    expect(descriptor).toMatchObject({
      name: "Xpose_Exposure",
      version: "1.0",
      dataTypeList: ["mail"],
      baseConfig: "Xpose",
      config: { service: "exposure", check_tlp: true, max_tlp: 2, check_pap: true, max_pap: 2 },
    });
  });

  test("a default has the type that its item declares, or Cortex refuses the item", () => {
    const items = descriptor.configurationItems as {
      name: string;
      type: string;
      required: boolean;
      defaultValue?: unknown;
    }[];
    expect(items.map(({ name }) => name)).toEqual(["url", "api_key", "wait", "cached_only", "ca_file", "verify"]);
    for (const { name, type, defaultValue } of items) {
      if (defaultValue !== undefined) expect(typeof defaultValue, name).toBe(type);
    }
  });

  test("the templates show text, with no colour of a verdict and nothing from another host", () => {
    for (const file of ["short.html", "long.html"]) {
      const text = read(`templates/Xpose_Exposure_1_0/${file}`);
      expect(text).not.toMatch(/ng-bind-html|https?:|<script|label-(?!info)/);
    }
    expect(read("templates/Xpose_Exposure_1_0/long.html")).toContain("{{content.headline}}");
  });
});

describe("splunk", () => {
  const app = `${folderOf("splunk")}xpose`;
  const stanzas = (file: string) =>
    Object.fromEntries(
      readFileSync(`${app}/default/${file}`, "utf8")
        .split(/^(?=\[)/m)
        .filter((part) => part.startsWith("["))
        .map((part) => {
          const [head = "", ...lines] = part.trim().split("\n");
          return [head.slice(1, -1), Object.fromEntries(lines.map((line) => line.split(/ = (.*)/).slice(0, 2)))];
        }),
    );

  test("the programs drop Splunk's library path, read the settings of the app, and hand input and arguments on", () => {
    const copy = join(folder, "app");
    cpSync(app, copy, { recursive: true });
    mkdirSync(join(copy, "local"));
    writeFileSync(
      join(copy, "local/xpose.env"),
      "XPOSE_URL=https://xpose.example.com\nXPOSE_API_KEY_FILE=/opt/xpose.key\n",
    );
    const settings = "LD= URL=https://xpose.example.com KEY_FILE=/opt/xpose.key";
    expect(run(join(copy, "bin/xpose_lookup"), ["email"], "email\n")).toBe(
      `connector\nsplunk-lookup\nemail\n${settings}\nemail\n`,
    );
    expect(run(join(copy, "bin/xpose_alert"), ["--execute"], "{}")).toBe(
      `connector\nsplunk-alert\n--execute\n${settings}\n{}`,
    );
  });

  test("the configuration names the lookup and the alert action", () => {
    expect(stanzas("transforms.conf")["xpose"]).toEqual({
      external_cmd: "xpose_lookup email",
      external_type: "executable",
      fields_list:
        "email, xpose_status, xpose_total, xpose_high, xpose_medium, xpose_low, xpose_sources_failed, xpose_digest, xpose_request_id",
      max_ext_batch: "1000",
      case_sensitive_match: "false",
    });
    expect(stanzas("alert_actions.conf")["xpose_enrich"]).toMatchObject({
      is_custom: "1",
      payload_format: "json",
      "alert.execute.cmd": "xpose_alert",
      "param.field": "email",
      "param.index": "main",
    });
    expect(readFileSync(`${app}/metadata/default.meta`, "utf8")).toMatch(/\[transforms\/xpose\]\nexport = system/);
    expect(JSON.parse(readFileSync(`${app}/app.manifest`, "utf8")).schemaVersion).toBe("2.0.0");
    expect(readFileSync(`${app}/default/data/ui/alerts/xpose_enrich.html`, "utf8")).not.toContain("<script");
  });
});

describe("wazuh", () => {
  const read = (file: string) => readFileSync(`${folderOf("wazuh")}${file}`, "utf8");

  test("the wrapper hands all arguments on", () => {
    const args = ["/tmp/alert.json", "-", "https://xpose.example.com", "debug"];
    expect(run(`${folderOf("wazuh")}custom-xpose`, args)).toMatch(
      /^connector\nwazuh\n\/tmp\/alert\.json\n-\nhttps:\/\/xpose\.example\.com\ndebug\n/,
    );
  });

  test("the rules follow the status and never the number of findings; the snippet holds no key", () => {
    const levels = [...read("local_rules.xml").matchAll(/<rule id="(\d+)" level="(\d+)">/g)].map(([, id, level]) => [
      id,
      level,
    ]);
    expect(levels).toEqual([
      ["111100", "0"],
      ["111101", "3"],
      ["111102", "5"],
    ]);
    expect(read("local_rules.xml")).not.toMatch(/<field name="xpose\.(?:total|high|medium|low)">/);
    expect(read("ossec.conf.snippet")).toMatch(/<name>custom-xpose<\/name>[\s\S]*<api_key>-<\/api_key>/);
  });
});

describe("powershell: the text of the module alone, for no PowerShell can be had here", () => {
  const text = readFileSync(`${folderOf("powershell")}Xpose.psm1`, "utf8");

  test("it follows no redirect, ends with its three functions, and closes every bracket", () => {
    expect(text).toContain("MaximumRedirection = 0");
    expect(text).toContain("Export-ModuleMember -Function Get-XposeExposure, Get-XposeBulk, Test-XposeConnection");
    expect(text).not.toMatch(/param\([^)]*(?:ApiKey|Secret)/i);
    const bare = text
      .replaceAll(/<#[\s\S]*?#>/g, "")
      .replaceAll(/'(?:[^']|'')*'/g, "''")
      .replaceAll(/"(?:[^"`]|`.)*"/g, '""')
      .replaceAll(/#.*$/gm, "");
    for (const [open, close] of ["{}", "()", "[]"].map((pair) => [...pair])) {
      expect(bare.split(open ?? "").length, `${open}${close}`).toBe(bare.split(close ?? "").length);
    }
  });

  test("every function that it calls is there", () => {
    const defined = [...text.matchAll(/^function ([A-Za-z]+-Xpose\w+)/gm)].map(([, name]) => name);
    const called = [...new Set([...text.matchAll(/[A-Z][A-Za-z]+-Xpose\w+/g)].map(([name]) => name))];
    expect(called.filter((name) => !defined.includes(name))).toEqual([]);
  });
});
