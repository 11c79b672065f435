import { readFileSync } from "node:fs";
import { ConnectorError } from "./error.ts";
import type { ServiceSettings } from "./service-client.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings of a connector from the environment. A value in `given`, for example an argument of the platform,
 * has precedence over its variable, except that `XPOSE_API_KEY_FILE` overrides `given.apiKeyFile`. `given.wait` is only
 * the default of the connector, in seconds. Throws `ConnectorError` for a missing or unusable setting.
 */
export function settingsFrom(
  env: Environment,
  given: { readonly url?: string; readonly apiKey?: string; readonly apiKeyFile?: string; readonly wait?: number } = {},
): ServiceSettings {
  const url = given.url ?? env["XPOSE_URL"] ?? "";
  if (!isUrl(url)) throw new ConnectorError("xpose: XPOSE_URL wants the http or https URL of the service");
  const caFile = env["XPOSE_CA_FILE"] ?? "";
  const proxy = env["XPOSE_PROXY"] ?? "";
  if (proxy !== "" && !isUrl(proxy)) throw new ConnectorError("xpose: XPOSE_PROXY wants an http or https URL");
  const waitText = env["XPOSE_WAIT"] ?? "";
  if (!/^\d{0,6}$/.test(waitText)) throw new ConnectorError("xpose: XPOSE_WAIT wants whole seconds");
  return {
    url,
    apiKey: apiKeyFrom(env, given),
    wait: waitText === "" ? (given.wait ?? 50) : Number(waitText),
    cachedOnly: false,
    extraCa: caFile === "" ? null : readText(caFile, "the CA file"),
    isVerified: !/^(?:0|false|no)$/i.test(env["XPOSE_VERIFY"] ?? ""),
    proxy: proxy === "" ? null : proxy,
  };
}

function apiKeyFrom(env: Environment, given: { readonly apiKey?: string; readonly apiKeyFile?: string }): string {
  const direct = given.apiKey ?? env["XPOSE_API_KEY"] ?? "";
  if (direct !== "") return direct;
  const file = env["XPOSE_API_KEY_FILE"] ?? given.apiKeyFile ?? "";
  if (file === "") throw new ConnectorError("xpose: no API key; set XPOSE_API_KEY or XPOSE_API_KEY_FILE");
  const key = readText(file, "the file of the API key").trim();
  if (key === "") throw new ConnectorError("xpose: the file of the API key is empty");
  return key;
}

/** Reads a small text file. The `ConnectorError` that it throws names the file. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new ConnectorError(`xpose: ${what} ${file} cannot be read`);
  }
}

export function isUrl(text: string): boolean {
  const address = /^https?:\/\//i.test(text) ? URL.parse(text) : null;
  return address !== null && address.hostname !== "";
}
