import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type * as z from "zod/mini";
import { auditCheck, auditLine } from "../../src/wire/audit.ts";
import { backupReport, restoreReport } from "../../src/wire/backup.ts";
import { configReport, settingList } from "../../src/wire/config.ts";
import { connectorList, exportedConnector } from "../../src/wire/connector.ts";
import {
  corpusCheck,
  corpusListing,
  corpusStats,
  dryRunReport,
  forgotten,
  importProgress,
  importReport,
  removedCorpus,
} from "../../src/wire/corpus.ts";
import { envelope } from "../../src/wire/envelope.ts";
import { eventList } from "../../src/wire/event.ts";
import { key, keyList, mintedKey } from "../../src/wire/key.ts";
import { createdOperator, operator, operatorList } from "../../src/wire/operator.ts";
import { progress } from "../../src/wire/scan.ts";
import { completionScript, doctorReport, initReport, listening, versionReport } from "../../src/wire/service.ts";
import { sourceChecks, sourceListing } from "../../src/wire/source.ts";
import {
  watchAdded,
  watchCheckReport,
  watchList,
  watchRemoved,
  webhookList,
  webhookTest,
} from "../../src/wire/watch.ts";
import { workspace, workspaceList } from "../../src/wire/workspace.ts";
import { Appliance } from "../helpers/appliance.ts";
import { readPage } from "../helpers/markdown-page.ts";
import { expectBody } from "../helpers/wire-body.ts";

const appliance = new Appliance();
const leak = join(appliance.folder, "example-shop.csv");
const config = join(appliance.folder, "xpose.toml");
const backup = join(appliance.folder, "backup.tar");

beforeAll(() => {
  writeFileSync(leak, "email,password,date\njane.doe@example.com,hunter2,2021-05\nnobody,x,2021\n");
  writeFileSync(
    config,
    `data_dir = ${JSON.stringify(appliance.dataDir)}
offline = true
[sources.hibp]
api_key = "0123456789abcdef0123456789abcdef"
[[sources.http]]
name = "inside"
internal = true
url = "http://127.0.0.1:1/?q={email}"
[[webhook]]
name = "siem"
internal = true
url = "http://127.0.0.1:1/hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
`,
  );
});
afterAll(() => appliance[Symbol.asyncDispose]());

/** Ids that later commands ask for, by the command that printed them. */
const ids = new Map<string, string>();

type Row = readonly [
  command: string,
  args: (ids: ReadonlyMap<string, string>) => readonly string[],
  schema: z.ZodMiniType,
];

/** Run in this order on one data directory. */
const rows: readonly Row[] = [
  ["init", () => [], initReport],
  ["keys create", () => ["--name", "siem", "--expires-at", "2099-01-31T00:00:00Z"], mintedKey],
  ["keys rotate", (known) => [known.get("keys create") ?? ""], mintedKey],
  ["keys revoke", (known) => [known.get("keys rotate") ?? ""], key],
  ["keys list", () => [], keyList],
  ["workspaces create", () => ["--name", "acme"], workspace],
  ["workspaces set-plan", () => ["acme", "free"], workspace],
  ["workspaces disable", () => ["acme"], workspace],
  ["workspaces list", () => [], workspaceList],
  ["workspaces enable", () => ["acme"], workspace],
  ["operators create", () => ["--name", "alice"], createdOperator],
  ["operators revoke", (known) => [known.get("operators create") ?? ""], operator],
  ["operators list", () => [], operatorList],
  ["enrich", () => ["nobody.knows@example.com"], progress],
  ["corpus import", () => [leak, "--name", "example-shop", "--subject", "shop.example.com", "--dry-run"], dryRunReport],
  ["corpus import", () => [leak, "--name", "example-shop", "--subject", "shop.example.com"], importReport],
  ["corpus import", () => [leak, "--name", "other-shop", "--scope", "acme"], importReport],
  ["corpus list", () => [], corpusListing],
  ["corpus stats", () => [], corpusStats],
  ["corpus verify", () => [], corpusCheck],
  ["enrich", () => ["jane.doe@example.com"], envelope],
  ["watch add", () => ["jane.doe@example.com", "--label", "staff"], watchAdded],
  ["watch import", () => [leak], watchAdded],
  ["watch check", () => [], watchCheckReport],
  ["watch list", () => [], watchList],
  ["events", () => [], eventList],
  ["watch remove", () => ["jane.doe@example.com"], watchRemoved],
  ["webhooks list", () => ["--config", config], webhookList],
  ["webhooks test", () => ["siem", "--config", config], webhookTest],
  ["sources list", () => ["--config", config], sourceListing],
  ["sources check", () => ["--config", config], sourceChecks],
  ["corpus forget", () => ["jane.doe@example.com"], forgotten],
  ["corpus remove", () => ["example-shop"], removedCorpus],
  ["audit verify", () => [], auditCheck],
  ["backup", () => [backup], backupReport],
  ["restore", () => [backup, "--data-dir", join(appliance.folder, "restored")], restoreReport],
  ["connectors list", () => [], connectorList],
  ["connectors export", () => ["check", join(appliance.folder, "check")], exportedConnector],
  ["doctor", () => ["--config", config], doctorReport],
  ["config check", () => ["--config", config], configReport],
  ["config show", () => ["--config", config], settingList],
  ["version", () => [], versionReport],
  ["completion", () => ["bash"], completionScript],
];

test.each(rows)("%s --json: exactly the members of its schema, in their order", (command, args, schema) => {
  const { stdout, stderr } = appliance.run([...command.split(" "), ...args(ids), "--json"]);
  expect([stdout, stderr]).toEqual([expect.stringMatching(/^[{[][^\n]*[\]}]\n$/), expect.any(String)]);
  const body = expectBody(schema, stdout.trimEnd()) as { id?: string };
  if (body.id !== undefined) ids.set(command, body.id);
  if (command === "corpus import") {
    const lines = stderr.trimEnd().split("\n");
    for (const line of lines) expectBody(importProgress, line);
  }
});

test("audit export prints one event per line", () => {
  const { stdout } = appliance.run(["audit", "export"]);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) expectBody(auditLine, line);
});

test("serve prints one line with its address", async () => {
  // Stopped after its first line, when it has printed everything.
  const shell = '"$0" "$@" > out & until [ -s out ]; do sleep 0.05; done; kill $!; wait $!; cat out';
  const { exitCode, stdout } = await appliance.runBeside(["serve", "--listen", "127.0.0.1:0"], { shell });
  expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^\{.*\}\n$/)]);
  expectBody(listening, stdout.trimEnd());
});

test("every command that prints a body has a row above", () => {
  // openapi prints the description of the bodies; config reload signals a service; lookup prints rows; export and the connectors print formats of other products.
  const connectors = ["cortex", "splunk-lookup", "splunk-alert", "wazuh", "check"].map((name) => `connector ${name}`);
  const others = ["audit export", "export", "serve", "openapi", "config reload", "lookup", ...connectors];
  const commands = readPage("docs/command-line.md").headings.filter((heading) => heading.startsWith("xpose "));
  const covered = new Set([...rows.map(([command]) => command), ...others]);
  expect([...covered].sort()).toEqual(commands.map((heading) => heading.slice("xpose ".length)).sort());
});
