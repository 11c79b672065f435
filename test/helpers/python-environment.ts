import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const systemPython = "/usr/bin/python3";
const double = join(import.meta.dirname, "../fixtures/sources/holehe/holehe");

/** Why a holehe cannot run here, its needs not being installed, or null. */
export function missingPythonPackages(): string | null {
  const probe = spawnSync(systemPython, ["-I", "-c", "import bs4, httpx, termcolor, trio"], { encoding: "utf8" });
  return probe.status === 0 ? null : (probe.error?.message ?? probe.stderr.trim().split("\n").at(-1) ?? "no answer");
}

/** Makes a virtual environment in an existing folder that sees the packages of the system and those in `packages`. */
export function makePythonEnvironment(root: string): { readonly python: string; readonly packages: string } {
  const version = spawnSync(systemPython, ["-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
  const packages = join(root, `lib/python${version.stdout.toString().trim()}/site-packages`);
  mkdirSync(packages, { recursive: true });
  mkdirSync(join(root, "bin"));
  symlinkSync(systemPython, join(root, "bin/python"));
  writeFileSync(join(root, "pyvenv.cfg"), "home = /usr/bin\ninclude-system-site-packages = true\n");
  return { python: join(root, "bin/python"), packages };
}

/** Puts the double of holehe, which asks nobody, among the packages of an environment; returns its folder. */
export function installHoleheDouble(packages: string): string {
  const root = join(packages, "holehe");
  cpSync(double, root, { recursive: true });
  return root;
}
