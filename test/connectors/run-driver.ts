import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemPython } from "../helpers/python-environment.ts";
import type { Job, Seen } from "./connector-suite.ts";

/** The folder of one connector, with a slash at its end. */
export function folderOf(connector: string): string {
  return fileURLToPath(new URL(`../../connectors/${connector}/`, import.meta.url));
}

/** Why Python, or one of these modules, cannot be used here, or null. */
export function missingPython(...modules: readonly string[]): string | null {
  if (!existsSync(systemPython)) return `${systemPython} is not installed`;
  const probe = spawnSync(systemPython, [
    "-I",
    "-c",
    ["import sys", ...modules.map((name) => `import ${name}`)].join("\n"),
  ]);
  return probe.status === 0 ? null : `python3 lacks one of: ${modules.join(", ")}`;
}

/**
 * Runs a driver of `drivers/` in Python: it reads one JSON document from standard input, calls the connector as its
 * platform does, and writes one JSON document. Whatever it prints on standard error fails the test.
 */
export async function runDriver<Answer>(
  driver: string,
  input: unknown,
  environment: Record<string, string> = {},
): Promise<Answer> {
  const script = fileURLToPath(new URL(`drivers/${driver}`, import.meta.url));
  const child = Bun.spawn([systemPython, "-B", script], {
    stdin: new TextEncoder().encode(JSON.stringify(input)),
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: "/usr/bin:/bin", LANG: "C.UTF-8", ...environment },
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0 || stderr !== "") throw new Error(`${driver} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Answer;
}

/** The look-ups of a suite by a Python driver. */
export function lookUpBy(driver: string): (jobs: readonly Job[]) => Promise<readonly Seen[]> {
  const folder = folderOf(driver.replace(/\.py$/, ""));
  return (jobs) => runDriver<Seen[]>(driver, { folder, jobs }, systemAuthorities(jobs));
}

/** The variable by which OpenSSL, and with it Python, finds the authorities that the machine knows. */
export function systemAuthorities(jobs: readonly Job[]): Record<string, string> {
  const file = jobs[0]?.systemCaFile;
  return file === undefined ? {} : { SSL_CERT_FILE: file };
}
