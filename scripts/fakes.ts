/**
 * The online sources without a network: starts a fake of each on 127.0.0.1, writes a configuration that uses them,
 * prints the next command to type, and runs until Ctrl-C. Its folder is recreated at each start. All people and leaks
 * are invented.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emailrepTestKey, startFakeEmailrep } from "../test/helpers/fake-emailrep.ts";
import { hibpPaidKey, startFakeHibp } from "../test/helpers/fake-hibp.ts";
import { mispTestKey, startFakeMisp } from "../test/helpers/fake-misp.ts";
import {
  installHoleheDouble,
  makePythonEnvironment,
  missingPythonPackages,
} from "../test/helpers/python-environment.ts";

const root = join(import.meta.dir, "..");
const folder = join(root, ".fakes");
const configFile = join(folder, "xpose.toml");
const executable = join(root, "dist", "xpose");

/** The default pace of the real sources is too slow for trying one address after the other. */
const rate = "1000/1m";

/** A source with a server: how to start it, and further lines of its configuration. A new source is one line here. */
const servers = [
  { name: "hibp", port: 8901, start: startFakeHibp, settings: { api_key: hibpPaidKey, stealer_logs: true, rate } },
  { name: "emailrep", port: 8902, start: startFakeEmailrep, settings: { api_key: emailrepTestKey, rate } },
  { name: "misp", port: 8903, start: startFakeMisp, settings: { api_key: mispTestKey, internal: true } },
];

await main();

async function main(): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  const tables = [table("", { data_dir: join(folder, "data") })];
  for (const { name, port, start, settings } of servers) {
    const { url } = await start({ port });
    tables.push(table(`sources.${name}`, { base_url: url, ...settings }));
    console.log(`${name.padEnd(10)}${url}`);
  }
  const python = installHolehe();
  if (python === null) console.log("holehe    left out: python3 lacks bs4, httpx, termcolor or trio");
  else {
    tables.push(table("sources.holehe", { python }));
    console.log(`holehe    ${python}`);
  }
  writeFileSync(configFile, tables.join("\n"), { mode: 0o600 });
  console.log(`
The configuration: ${configFile}
In another terminal (npm run build makes the executable):

  export XPOSE_CONFIG=${configFile}
  ${executable} init
  ${executable} sources check
  ${executable} enrich jane.doe@example.com

Have I Been Pwned's own test accounts work too, and faults on demand:

  ${executable} enrich multiple-breaches@hibp-integration-tests.com
  ${executable} enrich 429@hibp-integration-tests.com
  ${executable} enrich 403plan+pasteaccount@hibp-integration-tests.com

Serving until Ctrl-C.`);
}

/** A table of the configuration; the top level has an empty name. */
function table(name: string, values: Readonly<Record<string, string | boolean>>): string {
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return [...(name === "" ? [] : [`[${name}]`]), ...lines, ""].join("\n");
}

/** A Python environment with the tests' double of holehe, which sends nothing. Null when Python lacks packages. */
function installHolehe(): string | null {
  if (missingPythonPackages() !== null) return null;
  const environment = join(folder, "holehe");
  mkdirSync(environment);
  const { python, packages } = makePythonEnvironment(environment);
  installHoleheDouble(packages);
  return python;
}
