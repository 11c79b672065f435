import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { headline } from "../domain/headline.ts";
import { isObject, type JsonObject, parseObject } from "../domain/json-object.ts";
import { tlps } from "../domain/tlp.ts";
import type { CompletedCase } from "../wire/case.ts";
import { ConnectorError } from "./error.ts";
import { notVerified, openServiceClient, type ServiceSettings } from "./service-client.ts";
import { isUrl, readText } from "./settings.ts";

/** The input that Cortex writes for one job, as far as this analyzer reads it. */
type CortexInput = JsonObject;

type Taxonomy = {
  readonly level: "info";
  readonly namespace: "xpose";
  readonly predicate: string;
  readonly value: string;
};

/** The report that Cortex reads. An analyzer of evidence adds no observables and starts no operations. */
export type CortexReport =
  | {
      readonly success: true;
      readonly summary: { readonly taxonomies: readonly Taxonomy[] };
      readonly artifacts: readonly [];
      readonly operations: readonly [];
      readonly full: object;
    }
  | { readonly success: false; readonly input: object; readonly errorMessage: string };

/** The minutes of a job without its own limit, and the milliseconds reserved for writing the report. */
const defaultJobMinutes = 5;
const reserveMs = 5_000;
/** The default of Cortex for both markings: green and amber may be sent to a service, red may not. */
const defaultMaxMarking = 2;

/**
 * Reads a job, answers it, and writes the report. The job is in the folder `jobDir`, and the report is written beside
 * its input. With `jobDir` null the job is a JSON text. Returns the report.
 */
export async function runCortexJob(
  jobDir: string | null,
  readInput: () => string,
  tools: { readonly env: Readonly<Record<string, string | undefined>>; readonly version: string },
): Promise<CortexReport> {
  const report = await answer(jobDir, readInput, tools);
  if (jobDir !== null) writeReport(jobDir, report);
  return report;
}

async function answer(
  jobDir: string | null,
  readInput: () => string,
  tools: { readonly env: Readonly<Record<string, string | undefined>>; readonly version: string },
): Promise<CortexReport> {
  let input: CortexInput = {};
  try {
    input = parseInput(readInput);
    const found = await analyze(input, jobDir, tools);
    return found;
  } catch (error) {
    const errorMessage = error instanceof Error ? error.message : "xpose: unexpected error";
    return { success: false, input: withoutSecrets(input), errorMessage };
  }
}

function parseInput(readInput: () => string): CortexInput {
  let text: string;
  try {
    text = readInput();
  } catch {
    throw new ConnectorError("xpose: the input of the job cannot be read");
  }
  const value = parseObject(text);
  if (value === null) throw new ConnectorError("xpose: the input of the job is not a JSON object");
  return value;
}

async function analyze(
  input: CortexInput,
  jobDir: string | null,
  { env, version }: { readonly env: Readonly<Record<string, string | undefined>>; readonly version: string },
): Promise<CortexReport> {
  const config = isObject(input["config"]) ? input["config"] : {};
  const tlp = numberOf(input["tlp"]) ?? defaultMaxMarking;
  const pap = numberOf(input["pap"]) ?? defaultMaxMarking;
  if (config["check_tlp"] === true && tlp > (numberOf(config["max_tlp"]) ?? defaultMaxMarking)) {
    throw new ConnectorError("TLP is higher than allowed.");
  }
  if (config["check_pap"] === true && pap > (numberOf(config["max_pap"]) ?? defaultMaxMarking)) {
    throw new ConnectorError("PAP is higher than allowed.");
  }
  if (input["dataType"] !== "mail")
    throw new ConnectorError("xpose: this analyzer takes observables of type mail only");
  const address = input["data"];
  if (typeof address !== "string" || address === "") throw new ConnectorError("xpose: the job holds no address");
  const settings = settingsOf(config, jobDir, env);
  const minutes = numberOf(config["jobTimeout"]) ?? numberOf(input["jobTimeout"]) ?? defaultJobMinutes;
  const deadline = performance.now() + Math.max(1000, minutes * 60_000 - reserveMs);
  const client = openServiceClient(settings, { name: "cortex", version });
  const found = await client.lookUp(address, { tlp: markingOf(tlp), deadline });
  return reportOf(found, settings.isVerified);
}

function reportOf(found: CompletedCase, isVerified: boolean): CortexReport {
  const { exposure, sources, failed_sources: failed } = found;
  const asked = sources.filter(({ outcome }) => outcome !== "skipped").length;
  const counts = (["high", "medium", "low"] as const).flatMap((severity) => {
    const count = exposure.by_severity[severity] ?? 0;
    return count > 0 ? [taxonomy(severity, String(count))] : [];
  });
  const taxonomies = [
    taxonomy("findings", String(exposure.total)),
    ...counts,
    taxonomy("sources", `${asked - failed.length}/${asked}`),
    ...(failed.length === 0 ? [] : [taxonomy("failed", failed.map(({ source }) => source).join(","))]),
  ];
  const full = { headline: headline(found), ...found, ...(isVerified ? {} : { warning: notVerified }) };
  return { success: true, summary: { taxonomies }, artifacts: [], operations: [], full };
}

function taxonomy(predicate: string, value: string): Taxonomy {
  return { level: "info", namespace: "xpose", predicate, value };
}

function settingsOf(
  config: CortexInput,
  jobDir: string | null,
  env: Readonly<Record<string, string | undefined>>,
): ServiceSettings {
  const url = config["url"];
  if (typeof url !== "string" || !isUrl(url))
    throw new ConnectorError("xpose: the setting url wants an http or https URL");
  const apiKey = config["api_key"];
  if (typeof apiKey !== "string" || apiKey === "") throw new ConnectorError("xpose: the setting api_key is missing");
  const caFile = authorityFile(config, jobDir, env);
  return {
    url,
    apiKey,
    wait: numberOf(config["wait"]) ?? 50,
    cachedOnly: config["cached_only"] === true,
    extraCa: caFile === null ? null : readText(caFile, "the CA file"),
    isVerified: config["verify"] !== false,
    proxy: proxyOf(config["proxy"], url),
  };
}

/** The CA file of the operator, otherwise the CA files of Cortex. */
function authorityFile(
  config: CortexInput,
  jobDir: string | null,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  const own = config["ca_file"];
  if (typeof own === "string" && own !== "") return own;
  const handed = jobDir === null ? null : join(jobDir, "input", "cacerts");
  if (handed !== null && existsSync(handed)) return handed;
  const bundle = env["REQUESTS_CA_BUNDLE"] ?? "";
  return bundle !== "" && existsSync(bundle) ? bundle : null;
}

/** Cortex gives `{ http, https }`; a single URL applies to both. The environment is ignored. */
function proxyOf(value: unknown, url: string): string | null {
  const scheme = url.toLowerCase().startsWith("https:") ? "https" : "http";
  const chosen = isObject(value) ? (value[scheme] ?? value[scheme === "https" ? "http" : "https"]) : value;
  if (chosen === undefined || chosen === null || chosen === "") return null;
  if (typeof chosen === "string" && isUrl(chosen)) return chosen;
  throw new ConnectorError("xpose: the setting proxy wants an http or https URL");
}

/** The marking for a number of Cortex: 0 to 3; lower numbers are clear, higher numbers are red. */
function markingOf(tlp: number): string {
  const byNumber = tlps.filter((name) => name !== "amber+strict");
  return byNumber[Math.min(Math.max(Math.trunc(tlp), 0), byNumber.length - 1)] ?? "red";
}

const secretName = /key|password|secret|token/i;

/** The input for an error report: without secrets, also inside proxy URLs. */
function withoutSecrets(input: CortexInput): object {
  const { config } = input;
  if (!isObject(config)) return input;
  const entries = Object.entries(config).map(([name, value]) => [
    name,
    secretName.test(name) ? "REMOVED" : withoutCredentials(value),
  ]);
  return { ...input, config: Object.fromEntries(entries) };
}

function withoutCredentials(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/^(\w+:\/\/)[^/?#]*@/, "$1");
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, secretName.test(name) ? "REMOVED" : withoutCredentials(inner)]),
  );
}

/** Written to a second file and renamed, so that Cortex never reads a partial report. */
function writeReport(jobDir: string, report: CortexReport): void {
  const folder = join(jobDir, "output");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "output.json");
  writeFileSync(`${file}.tmp`, JSON.stringify(report));
  // Cortex may run as another user.
  chmodSync(`${file}.tmp`, 0o644);
  renameSync(`${file}.tmp`, file);
}

/** The text of the input in a job folder. */
export function readJobInput(jobDir: string): string {
  return readFileSync(join(jobDir, "input", "input.json"), "utf8");
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
