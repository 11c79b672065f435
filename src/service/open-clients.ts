import { readFileSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import type { Faults } from "../config/faults.ts";
import { type HttpClient, openHttpClient } from "../egress/client.ts";
import type { ConfiguredSource } from "../sources/source-set.ts";
import { version } from "../version.ts";

/**
 * The HTTP clients of the sources. All sources share one client, except that each client certificate has its own: a
 * connection that presented a certificate is used only by its owner. `of` adds the headers of the source.
 */
export function openClients({ outbound, sources }: Pick<Config, "outbound" | "sources">, extraCa: string | null) {
  const byCertificate = new Map<string, ReturnType<typeof openOutboundClient>>();
  const certificateOf = ({ clientCert, clientKey }: ConfiguredSource) => `${clientCert}\n${clientKey}`;
  const shared = openOutboundClient(outbound, extraCa, null);
  for (const source of sources) {
    const { isEnabled, clientCert, clientKey } = source;
    if (!isEnabled || clientCert === null || clientKey === null) continue;
    byCertificate.set(certificateOf(source), openOutboundClient(outbound, extraCa, source));
  }
  return {
    /** The client for what is no source, such as a webhook. */
    shared: shared as HttpClient,
    of(source: ConfiguredSource): HttpClient {
      const client = byCertificate.get(certificateOf(source)) ?? shared;
      const { headers } = source;
      if (Object.keys(headers).length === 0) return client;
      return {
        request: (request) => client.request({ ...request, headers: { ...request.headers, ...headers } }),
      };
    },
    async close(): Promise<void> {
      await Promise.all([shared, ...byCertificate.values()].map((client) => client.close()));
    },
  };
}

/** Finds every fault of the files and the proxy that sources are asked with. Opens no connection. */
export async function findClientFaults(
  { outbound, sources }: Pick<Config, "outbound" | "sources">,
  faults: Faults,
): Promise<void> {
  const extraCa = faults.attempt(() => ({ pem: readPem("outbound.ca_file", outbound.caFile) }))?.pem ?? null;
  for (const some of [[], ...sources.map((source) => [source])]) {
    await faults.attempt(() => openClients({ outbound, sources: some }, extraCa))?.close();
    // A fault of the proxy or the CA would be repeated for every source.
    if (some.length === 0 && faults.list.some(({ message }) => message.startsWith("outbound."))) return;
  }
}

/** `owner` is the source whose client certificate is presented. Throws `ConfigError`. */
function openOutboundClient(
  { proxy, noProxy, caFile }: Config["outbound"],
  extraCa: string | null,
  owner: ConfiguredSource | null,
) {
  const clientCertificate =
    owner === null
      ? null
      : {
          cert: readPem(settingOf(owner, "client_cert"), owner.clientCert) ?? "",
          key: readPem(settingOf(owner, "client_key"), owner.clientKey) ?? "",
        };
  try {
    return openHttpClient({ userAgent: `xpose/${version}`, proxy, noProxy, extraCa, clientCertificate });
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown reason";
    if (owner !== null) {
      const want = `a PEM certificate, with its own key in client_key (${reason})`;
      throw new ConfigError(settingOf(owner, "client_cert"), owner.clientCert, want);
    }
    if (extraCa === null)
      throw new ConfigError("outbound.proxy", `got (hidden), want a proxy that can be used (${reason})`);
    throw new ConfigError("outbound.ca_file", caFile, `a file with PEM certificates (${reason})`);
  }
}

function settingOf({ kind, name }: ConfiguredSource, key: string): string {
  return `sources.${kind === name ? kind : `${kind}.${name}`}.${key}`;
}

export function readPem(key: string, file: string | null): string | null {
  try {
    return file === null ? null : readFileSync(file, "utf8");
  } catch {
    throw new ConfigError(key, file, "a PEM file that can be read");
  }
}
