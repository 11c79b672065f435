import { readFileSync } from "node:fs";
import type * as z from "zod/mini";
import { canonicalJson } from "../domain/canonical-json.ts";
import type { SourceKind } from "../sources/source.ts";
import type { ConfiguredSource } from "../sources/source-set.ts";
import { credentialFile, type Environment } from "./environment.ts";
import { ConfigError, joinPath } from "./error.ts";
import { codeOf, type DeclaredSource, nameOf } from "./file.ts";
import { parseTable } from "./parse-table.ts";
import { commonKeysOf, commonTable, setByXpose } from "./tables.ts";
import { apiKey, isLoopback } from "./value.ts";

/** Parses the tables of sources. Without `env` no secret is read or required. Throws `ConfigError`. */
export function parseSources(sources: readonly DeclaredSource[], env: Environment | null): ConfiguredSource[] {
  return sources.map((source) => {
    const { kind, path, values } = source;
    const keys = commonKeysOf(kind);
    const entries = Object.entries(values);
    const common = parseTable(commonTable, {
      ...source,
      values: Object.fromEntries(entries.filter(([key]) => keys.includes(key))),
    });
    const own = { ...source, values: Object.fromEntries(entries.filter(([key]) => !keys.includes(key))) };
    const settings = parseTable(kind.settings, own);
    if (!common.internal) {
      refusePlainHttp(joinPath(path, "base_url"), common.base_url, kind);
      refusePlainHttp(joinPath(path, "url"), own.values["url"], kind);
    }
    const baseUrl = common.base_url ?? kind.defaultBaseUrl ?? null;
    if (kind.auth === "key" && common.enabled && baseUrl === null) {
      throw new ConfigError(joinPath(path, "base_url"), undefined, "the https URL of the service");
    }
    if ((common.client_cert === undefined) !== (common.client_key === undefined)) {
      const absent = common.client_cert === undefined ? "client_cert" : "client_key";
      throw new ConfigError(joinPath(path, absent), undefined, "a file: client_cert and client_key go together");
    }
    const ownHeader = Object.keys(common.headers).find((name) => kind.ownHeaders?.includes(name.toLowerCase()));
    if (ownHeader !== undefined) throw new ConfigError(joinPath(path, "headers", ownHeader), "", setByXpose);
    const mayRead = env !== null && kind.auth === "key" && common.enabled;
    const data = {
      name: nameOf(source),
      kind: kind.kind,
      isEnabled: common.enabled,
      baseUrl,
      apiKey: mayRead ? readApiKey(source, common, env) : null,
      // Confidence has three digits (docs/contract.md 7.4).
      confidence: Math.round((common.confidence ?? kind.confidence) * 1000) / 1000,
      origin: common.origin ?? nameOf(source),
      workspaces: common.workspaces ?? null,
      isInternal: common.internal,
      clientCert: common.client_cert ?? null,
      clientKey: common.client_key ?? null,
      headers: common.headers,
      settings,
    };
    const timeoutMs = common.timeout ?? kind.timeoutMs;
    return { ...data, timeoutMs, pace: common.rate ?? kind.pace, fingerprintText: canonicalJson(data) };
  });
}

function refusePlainHttp(key: string, text: unknown, kind: SourceKind): void {
  const address = typeof text === "string" ? URL.parse(text) : null;
  if (address === null || address.protocol !== "http:" || isLoopback(address.hostname)) return;
  const or = kind.mayBeInternal ? " or with internal = true" : "";
  throw new ConfigError(key, text, `an https URL; plain http only to loopback${or}`);
}

/** Reads the key from the table, from its file, or from a credential of the service manager (LoadCredential). */
function readApiKey({ path, kind }: DeclaredSource, table: z.output<typeof commonTable>, env: Environment): string {
  const key = joinPath(path, "api_key");
  const { api_key: given, api_key_file: named } = table;
  if (given !== undefined && named !== undefined) throw new ConfigError(key, given, "one of api_key and api_key_file");
  if (given !== undefined) return given;
  const credential = `${kind.kind}_api_key`;
  const file = named ?? credentialFile(env, credential);
  if (file === null) {
    throw new ConfigError(key, undefined, `an API key: api_key, api_key_file or the credential ${credential}`);
  }
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new ConfigError(
      `${key}_file`,
      `got ${JSON.stringify(file)} (${codeOf(error)}), want a file that can be read`,
    );
  }
  const result = apiKey.safeParse(text);
  if (!result.success) throw new ConfigError(key, text, "one line of printable ASCII without blanks in its file");
  return result.data;
}
