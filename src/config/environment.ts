import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ConfigRequest } from "./config.ts";
import { ConfigError, joinPath } from "./error.ts";
import type { Faults } from "./faults.ts";
import type { DeclaredTable, DeclaredTables } from "./file.ts";
import type { Scalar } from "./tables.ts";
import { unitCredential } from "./unit-credential.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Copies the environment and removes the proxy variables from the process: the runtime would obey them in addition to,
 * and against, `outbound.proxy`.
 */
export function takeEnvironment(): Environment {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^(?:https?|all|no)_proxy$/i.test(name)) delete process.env[name];
  }
  return env;
}

/** Sets keys from variables and returns a warning for each variable that names no key. Never declares a source. */
export function overrideFromEnvironment(tables: DeclaredTables, env: Environment, faults: Faults): string[] {
  const given = Object.entries(env).filter(([name, text]) => isOverride(name) && text !== undefined && text !== "");
  if (given.length === 0) return [];
  const { top, sections, corpus, sources, webhooks } = tables;
  const all = [top, ...Object.values(sections), corpus, ...sources, ...webhooks];
  const targets = all.flatMap((table) => [...table.scalars].map(([key, scalar]) => ({ table, key, scalar })));
  const byVariable = Map.groupBy(targets, ({ table, key }) => variableOf(table, key));
  const warnings: string[] = [];
  for (const [name, text = ""] of given.sort()) {
    const [target, second] = byVariable.get(name) ?? [];
    if (target === undefined) {
      warnings.push(`${name} names no key that a variable could set and is ignored`);
      continue;
    }
    if (second !== undefined) {
      const paths = [target, second].map(({ table, key }) => joinPath(table.path, key));
      faults.add(new ConfigError(name, `it names both ${paths.join(" and ")}, want them set in the file`));
      continue;
    }
    set(target.table, target.key, scalarFrom(text, target.scalar), name);
  }
  return warnings;
}

/** `XPOSE_CONFIG` names the file itself; the others belong to clients of a service. */
const otherVariables = [
  "XPOSE_CONFIG",
  "XPOSE_URL",
  "XPOSE_API_KEY",
  "XPOSE_API_KEY_FILE",
  "XPOSE_CA_FILE",
  "XPOSE_PROXY",
  "XPOSE_VERIFY",
  "XPOSE_WAIT",
  "XPOSE_WAZUH_FIELDS",
  "XPOSE_WAZUH_SOCKET",
  "XPOSE_BIN",
];

function isOverride(name: string): boolean {
  return name.startsWith("XPOSE_") && !otherVariables.includes(name);
}

function variableOf({ path }: DeclaredTable, key: string): string {
  return ["xpose", ...path.split("."), key]
    .filter((part) => part !== "")
    .join("_")
    .replaceAll("-", "_")
    .toUpperCase();
}

/** Converts to the type of the key. A text that does not fit stays text, and the schema refuses it. */
function scalarFrom(text: string, scalar: Scalar): unknown {
  if (scalar === "number") return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
  if (scalar === "text") return text;
  if (text === "true" || text === "1") return true;
  return text === "false" || text === "0" ? false : text;
}

export function overrideFromFlags(
  { top, sections }: DeclaredTables,
  { dataDir, listen }: ConfigRequest["flags"],
): void {
  // Typed by a person, so a path relative to the working directory is allowed.
  if (dataDir !== undefined) set(top, "data_dir", dataDir === "" ? dataDir : resolve(dataDir), "--data-dir");
  if (listen !== undefined) set(sections.server, "listen", listen, "--listen");
}

/** Keys that exclude each other: a variable that sets one of them removes the other one of the file. */
const rivals: Readonly<Record<string, string>> = { api_key: "api_key_file", api_key_file: "api_key" };

function set({ values, setBy }: DeclaredTable, key: string, value: unknown, by: string): void {
  values[key] = value;
  setBy.set(key, by);
  const rival = rivals[key];
  if (rival !== undefined && !setBy.has(rival)) delete values[rival];
}

/** Finds the file of a service manager's credential (systemd's LoadCredential) by its id; null when there is none. */
export type FindCredential = (id: string) => string | null;

/** Credentials handed to this process, else those that the unit of the service names in `unitFolders`. */
export function credentialsOf(env: Environment, unitFolders: readonly string[]): FindCredential {
  const folder = env["CREDENTIALS_DIRECTORY"] ?? "";
  if (folder === "") return (id) => unitCredential(id, unitFolders);
  return (id) => {
    const file = join(folder, id);
    return statSync(file, { throwIfNoEntry: false }) === undefined ? null : file;
  };
}
