import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { settingKeys } from "../helpers/setting-keys.ts";

/** How much of a wrong value a message shows. Every setting of every table is in one of these lists. */
const shown = {
  secret: ["api_key", "headers", "secret"],
  path: [
    "data_dir",
    "secret_file",
    "tls_cert",
    "tls_key",
    "client_ca",
    "ca_file",
    "api_key_file",
    "client_cert",
    "client_key",
    "catalogue",
    "python",
  ],
  origin: ["source_url", "public_url", "proxy", "base_url", "url"],
  all: [
    ...[
      "offline",
      "listen",
      "socket_mode",
      "insecure_http",
      "trusted_proxies",
      "hostnames",
      "bulk_limit",
      "get_lookup",
      "max_tlp_outside",
      "drain_delay",
      "ttl",
      "partial_ttl",
    ],
    ...["concurrency", "timeout", "max_queue", "retention", "ledger_retention", "max_findings", "team", "enterprise"],
    ...["window", "no_proxy", "level", "format", "enabled", "name", "rate", "confidence", "origin", "workspaces"],
    ...[
      "internal",
      "mode",
      "pastes",
      "stealer_logs",
      "allow_sensitive",
      "max_tlp",
      "max",
      "interval",
      "event_retention",
      "types",
      "thin",
    ],
  ],
} as const;

type Shown = keyof typeof shown;

function classOf(key: string): Shown | undefined {
  const name = key.split(".").at(-1) ?? "";
  return (Object.keys(shown) as Shown[]).find((each) => (shown[each] as readonly string[]).includes(name));
}

const messageOf = (key: string, got: unknown) => new ConfigError(key, got, "something else").message;

describe("what the message of a wrong setting shows", () => {
  test("every setting of every table says what may be shown of it", () => {
    expect(settingKeys().filter((key) => classOf(key) === undefined)).toEqual([]);
    const names = settingKeys().map((key) => key.split(".").at(-1));
    expect(
      Object.values(shown)
        .flat()
        .filter((name) => !names.includes(name)),
    ).toEqual([]);
  });

  test.each(settingKeys().filter((key) => classOf(key) === "secret"))("nothing of %s", (key) => {
    for (const got of ["canary", "/canary", "https://canary.example/", 123_454_321, { a: "canary" }, ["canary"]]) {
      expect(messageOf(key, got)).toBe(`${key}: got (hidden), want something else`);
      expect(messageOf(`${key} (from XPOSE_X)`, got)).not.toMatch(/canary|123454321/);
    }
  });

  test.each(settingKeys().filter((key) => /_file$|_key$/.test(key) && classOf(key) === "path"))(
    "only a path of %s, not the secret itself",
    (key) => {
      expect(messageOf(key, "/etc/xpose/file")).toContain('got "/etc/xpose/file"');
      for (const got of ["canary", "-----BEGIN PRIVATE KEY-----\ncanary", "/etc/\ncanary", 123_454_321, ["canary"]]) {
        expect(messageOf(key, got)).toBe(`${key}: got (hidden), want something else`);
      }
    },
  );

  test.each(settingKeys().filter((key) => classOf(key) === "origin"))("only the origin of %s", (key) => {
    const message = messageOf(key, "https://user:canary@host.example/canary?token=canary");
    expect(message).toContain('"https://host.example"');
    expect(message).not.toContain("canary");
    expect(messageOf(key, "user:canary@host.example")).not.toContain("canary");
  });

  test("nothing of a setting that is not known yet, if its name speaks of a secret", () => {
    const names = ["access_token", "client_secret", "proxy_password", "signing_key", "credentials", "api_keys"];
    for (const name of names) {
      expect(messageOf(`sources.other.${name}`, "canary")).not.toContain("canary");
      expect(messageOf(`top_${name}`, "/canary")).not.toContain("canary");
    }
    expect(messageOf("sources.http.headers.Authorization", "canary")).not.toContain("canary");
    expect(messageOf("sources.hibp", "canary")).not.toContain("canary");
  });

  test("only the origin of a URL under any key", () => {
    expect(messageOf("server.listen", "https://user:canary@host.example/")).not.toContain("canary");
    expect(messageOf("scan.endpoint", "postgres://user:canary@host.example/db")).not.toContain("canary");
  });
});
