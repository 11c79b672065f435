import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const systemPython = "/usr/bin/python3";
const double = join(import.meta.dirname, "../fixtures/sources/holehe/holehe");

/** Why holehe cannot run here (missing dependencies), or null. */
export function missingPythonPackages(): string | null {
  const probe = spawnSync(systemPython, ["-I", "-c", "import bs4, httpx, termcolor, trio"], { encoding: "utf8" });
  return probe.status === 0 ? null : (probe.error?.message ?? probe.stderr.trim().split("\n").at(-1) ?? "no answer");
}

/** Makes a virtual environment in an existing folder, with the packages of the system and of `packages`. */
export function makePythonEnvironment(root: string): { readonly python: string; readonly packages: string } {
  const version = spawnSync(systemPython, ["-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
  const packages = join(root, `lib/python${version.stdout.toString().trim()}/site-packages`);
  mkdirSync(packages, { recursive: true });
  mkdirSync(join(root, "bin"));
  symlinkSync(systemPython, join(root, "bin/python"));
  writeFileSync(join(root, "pyvenv.cfg"), "home = /usr/bin\ninclude-system-site-packages = true\n");
  return { python: join(root, "bin/python"), packages };
}

/** The only address that the sites of the double know. */
export const jane = "jane.doe+x@example.com";

/** Installs the double of holehe, which makes no requests, into an environment; returns its folder. */
export function installHoleheDouble(packages: string): string {
  const root = join(packages, "holehe");
  cpSync(double, root, { recursive: true });
  return root;
}

/** A checkout of the real holehe, for tests against its modules. The repository holds no copy. */
const checkout = process.env["HOLEHE_CHECKOUT"];

/** Why tests with the real holehe are impossible here, or null. */
export function whyNoRealHolehe(): string | null {
  if (checkout === undefined) return "HOLEHE_CHECKOUT names no checkout of github.com/megadose/holehe";
  if (!existsSync(join(checkout, "holehe/modules"))) return `${checkout} holds no folder holehe/modules`;
  return missingPythonPackages();
}

/** Installs the real holehe into an environment. */
export function installRealHolehe(packages: string): void {
  symlinkSync(join(checkout ?? "", "holehe"), join(packages, "holehe"));
}

/** The names of all hosts in the code of the real holehe; empty without a checkout. */
export function realHosts(): string[] {
  if (whyNoRealHolehe() !== null) return [];
  const modules = join(checkout ?? "", "holehe/modules");
  const files = readdirSync(modules, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".py"));
  const code = files.map((file) => readFileSync(join(modules, file), "utf8")).join("\n");
  return [...new Set([...code.matchAll(/https?:\/\/([a-z0-9.-]+\.[a-z]+)/g)].map(([, host]) => host ?? ""))];
}
