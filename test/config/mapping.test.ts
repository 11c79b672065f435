import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Config, loadConfig } from "../../src/config/config.ts";
import { settingKeys } from "../helpers/setting-keys.ts";

let folder: string;
const keyFile = () => join(folder, "key");
const secretFile = () => join(folder, "webhook-secret");

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-mapping-"));
  writeFileSync(keyFile(), "key-of-the-file\n");
  writeFileSync(secretFile(), `${whsec("c")}\n`);
});

afterAll(() => rmSync(folder, { recursive: true }));

type Table = Readonly<Record<string, string>>;

/** A value that is not the default, for each key of a section, as TOML. */
const sectionSamples: Table = {
  data_dir: '"/srv/xpose"',
  secret_file: '"/etc/xpose/secret"',
  offline: "true",
  "server.listen": '"127.0.0.1:9"',
  "server.socket_mode": '"0600"',
  "server.source_url": '"https://code.example/"',
  "server.public_url": '"https://xpose.example"',
  "server.tls_cert": '"/etc/other.pem"',
  "server.tls_key": '"/etc/other.key"',
  "server.client_ca": '"/etc/ca.pem"',
  "server.insecure_http": "true",
  "server.trusted_proxies": '["192.0.2.1"]',
  "server.bulk_limit": "15",
  "server.drain_delay": '"3s"',
  "server.get_lookup": "true",
  "server.hostnames": '["xpose.example"]',
  "cache.ttl": '"1h"',
  "cache.partial_ttl": '"1m"',
  "scan.concurrency": "3",
  "scan.timeout": '"10s"',
  "scan.max_queue": "7",
  "scan.retention": '"9d"',
  "scan.ledger_retention": '"10d"',
  "scan.max_findings": "11",
  "scan.max_tlp_outside": '"red"',
  "audit.retention": '"12d"',
  "rate_limit.team": "13",
  "rate_limit.enterprise": "14",
  "rate_limit.window": '"15m"',
  "outbound.proxy": '"http://proxy.example:3128"',
  "outbound.no_proxy": '["host.example"]',
  "outbound.ca_file": '"/etc/ca.pem"',
  "log.level": '"error"',
  "log.format": '"pretty"',
  "watch.max": "16",
  "watch.interval": '"17d"',
  "watch.event_retention": '"18d"',
  "webhook.name": '"other"',
  "webhook.enabled": "false",
  "webhook.url": '"https://other.example/events"',
  "webhook.secret": `"${whsec("b")}"`,
  "webhook.secret_file": "(a file)",
  "webhook.workspaces": '["acme"]',
  "webhook.types": '["watch.checked"]',
  "webhook.thin": "false",
  "webhook.internal": "true",
  "sources.corpus.enabled": "false",
  "sources.corpus.timeout": '"3s"',
};

/** The same for the keys that several kinds of sources have. */
const commonSamples: Table = {
  name: '"other"',
  enabled: "false",
  timeout: '"3s"',
  rate: '"3/1s"',
  confidence: "0.123",
  origin: '"another"',
  workspaces: '["acme"]',
  internal: "true",
  base_url: '"https://other.example"',
  api_key: '"another-key"',
  api_key_file: "(a file)",
  client_cert: '"/etc/other.pem"',
  client_key: '"/etc/other.key"',
  headers: '{ "X-Team" = "soc" }',
};

/** The same for the keys of one kind. */
const kindSamples: Table = {
  "sources.hibp.mode": '"range"',
  "sources.hibp.pastes": "false",
  "sources.hibp.stealer_logs": "true",
  "sources.hibp.catalogue": '"/srv/breaches.json"',
  "sources.holehe.python": '"/opt/bin/python"',
  "sources.holehe.allow_sensitive": "true",
  "sources.misp.max_tlp": '"red"',
  "sources.http.url": '"https://other.example/{email}"',
};

/** Keys that a table needs before another key can be set, by table. */
const needed: Readonly<Record<string, Table>> = {
  webhook: { name: '"siem"', url: '"https://siem.example/events"', secret: `"${whsec("a")}"` },
  server: { tls_cert: '"/etc/server.pem"', tls_key: '"/etc/server.key"' },
  "sources.hibp": { api_key: '"a-key"', ...clientCertificate() },
  "sources.emailrep": { api_key: '"a-key"', ...clientCertificate() },
  "sources.misp": { api_key: '"a-key"', base_url: '"https://misp.example"', ...clientCertificate() },
  "sources.http": { name: '"intranet"', url: '"https://intranet.example/{email}"', ...clientCertificate() },
};

/** A secret of a webhook, made of one letter. */
function whsec(letter: string): string {
  return `whsec_${Buffer.from(letter.repeat(32)).toString("base64")}`;
}

function clientCertificate(): Table {
  return { client_cert: '"/etc/client.pem"', client_key: '"/etc/client.key"' };
}

function sampleOf(key: string): string | undefined {
  const [, kind, name = ""] = /^sources\.([a-z]+)\.(\w+)$/.exec(key) ?? [];
  if (name === "api_key_file") return JSON.stringify(keyFile());
  if (key === "webhook.secret_file") return JSON.stringify(secretFile());
  return sectionSamples[key] ?? kindSamples[key] ?? (kind === undefined ? undefined : commonSamples[name]);
}

function configOf(table: string, values: Table): Config {
  const head = table === "" ? "" : table === "sources.http" || table === "webhook" ? `[[${table}]]` : `[${table}]`;
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${value}`);
  const file = join(folder, "xpose.toml");
  writeFileSync(file, `${[head, ...lines].join("\n")}\n`);
  return loadConfig({ flags: { config: file }, env: {}, needs: { sourceSecrets: true } }).config;
}

test("every setting has a sample, and every sample a setting", () => {
  const keys = settingKeys();
  expect(keys.filter((key) => sampleOf(key) === undefined)).toEqual([]);
  expect([...Object.keys(sectionSamples), ...Object.keys(kindSamples)].filter((key) => !keys.includes(key))).toEqual(
    [],
  );
});

test.each(settingKeys())("%s reaches the loaded configuration", (key) => {
  const at = key.lastIndexOf(".");
  const [table, name] = [key.slice(0, Math.max(at, 0)), key.slice(at + 1)];
  const before = needed[table] ?? {};
  const sample = sampleOf(key);
  if (sample === undefined) throw new Error(`${key} has no sample here`);
  const { api_key: _key, secret: _secret, ...others } = before;
  const isFile = name === "api_key_file" || key === "webhook.secret_file";
  const after = { ...(isFile ? others : before), [name]: sample };
  const [old, changed] = [configOf(table, before), configOf(table, after)];
  // The fingerprint is made of the other values.
  const valuesOf = ({ sources, ...config }: Config) => ({
    ...config,
    sources: sources.map(({ fingerprintText: _, ...source }) => source),
  });
  expect(valuesOf(changed)).not.toEqual(valuesOf(old));
});
