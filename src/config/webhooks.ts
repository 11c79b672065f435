import { readFileSync } from "node:fs";
import type * as z from "zod/mini";
import { ConfigError, joinPath } from "./error.ts";
import type { Faults } from "./faults.ts";
import { codeOf, type DeclaredTable } from "./file.ts";
import { parseTable } from "./parse-table.ts";
import { webhookTable } from "./tables.ts";
import { isLoopback, parseWebhookSecret, wantedSecrets } from "./value.ts";

/** A receiver of events (docs/pipeline.md 20.6). */
export type ConfiguredWebhook = {
  readonly name: string;
  readonly isEnabled: boolean;
  readonly url: string;
  /** The keys that sign, in base64, the newest first; empty when they were not read. */
  readonly secrets: readonly string[];
  /** Ids or names; null = all. */
  readonly workspaces: readonly string[] | null;
  readonly types: readonly string[] | null;
  readonly isThin: boolean;
  readonly isInternal: boolean;
};

/** Parses the webhooks. Without `needsSecrets` no secret is read or required. A webhook with a fault is left out. */
export function parseWebhooks(
  tables: readonly DeclaredTable[],
  needsSecrets: boolean,
  faults: Faults,
): ConfiguredWebhook[] {
  const webhooks = tables.map((table) => {
    const webhook = parseTable(webhookTable, table, faults);
    return webhook === null ? null : faults.attempt(() => webhookOf(table.path, webhook, needsSecrets));
  });
  return webhooks.filter((webhook) => webhook !== null);
}

function webhookOf(path: string, webhook: z.output<typeof webhookTable>, needsSecrets: boolean): ConfiguredWebhook {
  const address = new URL(webhook.url);
  if (address.protocol === "http:" && !isLoopback(address.hostname) && !webhook.internal) {
    const want = "an https URL; plain http only to loopback or with internal = true";
    throw new ConfigError(joinPath(path, "url"), webhook.url, want);
  }
  const { secret, secret_file: file } = webhook;
  if (secret !== undefined && file !== undefined) {
    throw new ConfigError(joinPath(path, "secret"), secret, "one of secret and secret_file");
  }
  const given = secret === undefined ? [] : Array.isArray(secret) ? secret : [secret];
  return {
    name: webhook.name,
    isEnabled: webhook.enabled,
    url: webhook.url,
    secrets: needsSecrets && webhook.enabled ? secretsOf(path, given, file) : [],
    workspaces: webhook.workspaces ?? null,
    types: webhook.types ?? null,
    isThin: webhook.thin,
    isInternal: webhook.internal,
  };
}

function secretsOf(path: string, given: readonly string[], file: string | undefined): readonly string[] {
  if (given.length > 0) return given;
  if (file === undefined)
    throw new ConfigError(joinPath(path, "secret"), undefined, `${wantedSecrets}, or secret_file`);
  const key = joinPath(path, "secret_file");
  let lines: string[];
  try {
    lines = readFileSync(file, "utf8")
      .split(/\s+/)
      .filter((line) => line !== "");
  } catch (error) {
    throw new ConfigError(key, `got ${JSON.stringify(file)} (${codeOf(error)}), want a file that can be read`);
  }
  const secrets = lines.map(parseWebhookSecret);
  if (secrets.length < 1 || secrets.length > 2 || secrets.includes(null)) {
    throw new ConfigError(key, "got (hidden), want one or two lines of whsec_ and 16 to 256 bytes in base64");
  }
  return secrets.flatMap((secret) => secret ?? []);
}
