import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { systemPython } from "../helpers/python-environment.ts";
import { caseFor, headlineOf } from "./fake-service.ts";
import { folderOf, missingPython } from "./run-driver.ts";

const root = folderOf(".");
/** The connectors of files, and those whose program is in the executable. */
const names =
  "cortex elastic graylog misp n8n opencti powershell python sentinel shuffle splunk splunk-soar tines wazuh xsoar".split(
    " ",
  );
const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => statSync(root + file).isFile());

/** The text between two marks of a file, with the marks. The script of a yml is indented as a whole. */
function blockOf(file: string, first: string, last: string): string {
  const text = file.endsWith(".yml")
    ? (Bun.YAML.parse(readFileSync(root + file, "utf8")) as { script: { script: string } }).script.script
    : readFileSync(root + file, "utf8");
  const [start, end] = [text.indexOf(`# ---- ${first}`), text.indexOf(`# ---- ${last}`)];
  if (start < 0 || end < start) throw new Error(`${file} has no block ${first}`);
  return text.slice(start, end);
}

test("every connector is there", () => {
  expect(readdirSync(root)).toEqual(expect.arrayContaining(names));
});

test.each(names)("%s: a README with five steps, a transcript, limits and a licence", (name) => {
  const text = readFileSync(`${root}${name}/README.md`, "utf8");
  const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  for (const heading of ["Install", "Transcript", "Limits", "Licence"]) expect(headings).toContain(heading);
  const install = text.slice(text.indexOf("## Install"), text.indexOf("## Transcript"));
  expect(install.match(/^\d\. /gm)).toEqual(["1. ", "2. ", "3. ", "4. ", "5. "]);
  expect(text).toContain("AGPL-3.0-only");
});

test.each(names.filter((name) => name !== "splunk" && name !== "cortex"))(
  "%s: the transcript holds the sentence that the service's own rule gives",
  (name) => {
    const text = readFileSync(`${root}${name}/README.md`, "utf8");
    expect(text).toContain(headlineOf(caseFor("jane.doe@example.com")));
  },
);

test("the rules are the same text in every connector that is written in Python", () => {
  const wanted = blockOf("python/xpose_client.py", "The rules", "End of the rules");
  for (const file of [
    "misp/expansion/xpose.py",
    "opencti/src/xpose_connector.py",
    "splunk-soar/xpose_connector.py",
    "xsoar/xpose.yml",
  ]) {
    expect(blockOf(file, "The rules", "End of the rules"), `copy the block of python/xpose_client.py to ${file}`).toBe(
      wanted,
    );
  }
});

test("the wire is the same text in every connector that has the standard library only", () => {
  const wanted = blockOf("python/xpose_client.py", "The wire", "End of the wire");
  for (const file of ["misp/expansion/xpose.py", "opencti/src/xpose_connector.py"]) {
    expect(blockOf(file, "The wire", "End of the wire"), `copy the block of python/xpose_client.py to ${file}`).toBe(
      wanted,
    );
  }
});

test.skipIf(missingPython() !== null)("the files with the standard library only are Python 3.8", () => {
  const check = "import ast, sys; [ast.parse(open(f).read(), f, feature_version=(3, 8)) for f in sys.argv[1:]]";
  const scripts = ["python/xpose_client.py", "misp/expansion/xpose.py", "opencti/src/xpose_connector.py"].map(
    (file) => root + file,
  );
  expect(spawnSync(systemPython, ["-c", check, ...scripts], { encoding: "utf8" })).toMatchObject({
    status: 0,
    stderr: "",
  });
});

test("programs can be executed, and nothing else", () => {
  const executable = files.filter((file) => (statSync(root + file).mode & 0o111) !== 0).toSorted();
  expect(executable).toEqual([
    "cortex/Xpose/xpose-cortex",
    "splunk/xpose/bin/xpose_alert",
    "splunk/xpose/bin/xpose_lookup",
    "wazuh/custom-xpose",
  ]);
  for (const file of executable) expect(statSync(root + file).mode & 0o777).toBe(0o755);
});

test("no file holds a key, and no JSON is broken", () => {
  for (const file of files) {
    const text = readFileSync(root + file, "utf8");
    expect(text, file).not.toMatch(/xpz_live_[0-9a-f]{8}/);
    if (file.endsWith(".json") || file.endsWith("app.manifest")) expect(() => JSON.parse(text), file).not.toThrow();
  }
});
