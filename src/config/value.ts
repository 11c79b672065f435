import { isAbsolute } from "node:path";
import * as z from "zod/mini";
import { parseDuration } from "../domain/duration.ts";
import { ipVersion, isLoopbackAddress } from "../domain/ip-address.ts";
import { isNetwork } from "../domain/network.ts";
import type { Pace } from "../domain/pace.ts";

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Timers of the runtime are limited to 2^31 ms, about 24 days; a longer timer fires immediately. */
const maxTimeoutMs = 24 * 60 * 60 * 1000;

// The messages of the schemas are the text after "want" in an error.
export const flag = z.boolean("true or false");
export const path = parsed("an absolute path", (text) => (isAbsolute(text) && !/\p{Cc}/u.test(text) ? text : null));
export const lifetime = parsed("a duration such as 90s, 15m, 24h or 30d, or 0s", (text) => parseDuration(text, 0));
export const duration = parsed("a duration such as 90s, 15m, 24h or 30d", (text) => parseDuration(text, 1));
export const delay = parsed("a duration from 0s to 24h", (text) => parseDuration(text, 0, maxTimeoutMs));
export const timeout = parsed("a duration from 1s to 24h", (text) => parseDuration(text, 1, maxTimeoutMs));
export const url = parsed("an absolute http or https URL", (text) => (isHttpUrl(text) ? text : null));
export const plainUrl = parsed("an absolute http or https URL without name, password, query and fragment", (text) => {
  const address = isHttpUrl(text) ? new URL(text) : null;
  const isPlain = address !== null && `${address.username}${address.password}${address.search}${address.hash}` === "";
  return isPlain ? text.replace(/\/+$/, "") : null;
});
/** Where a webhook sends. Its path and query often hold a token, so messages show the origin only. */
export const plainTarget = parsed("an absolute http or https URL without name, password and fragment", (text) => {
  const address = isHttpUrl(text) ? new URL(text) : null;
  return address !== null && `${address.username}${address.password}${address.hash}` === "" ? text : null;
});
export const wantedSecrets = "whsec_ and 16 to 256 bytes in base64, or a list of two of them";
/** A secret of the Standard Webhooks rules. */
export const webhookSecret = parsed(wantedSecrets, parseWebhookSecret);
export const sourceName = z.string(wantedName()).check(z.regex(/^[a-z0-9][a-z0-9_-]{0,49}$/, wantedName()));
export const apiKey = z
  .string("an API key")
  .check(z.regex(/^[\x21-\x7e]{1,4096}$/, "an API key: printable ASCII without blanks"));
export const hostnames = parsed("a host name without a port", (text) =>
  /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i.test(text) ? text.toLowerCase() : null,
);
export const networks = parsed("an address or a network such as 10.0.0.0/8", (text) => (isNetwork(text) ? text : null));
export const proxyTargets = "host names or networks, separated by commas";

export function atLeast(minimum: number) {
  const want = `a whole number from ${minimum} to 1000000000`;
  return z.int(want).check(z.minimum(minimum, want), z.maximum(1_000_000_000, want));
}

export function wantedName(): string {
  return "1 to 50 of a-z, 0-9, - and _, the first a letter or digit";
}

/** A schema for text that `parse` converts to a value; null means that the text is invalid. */
export function parsed<Value>(want: string, parse: (text: string) => Value | null) {
  return z.transform((input, context): Value => {
    const value = typeof input === "string" ? parse(input) : null;
    if (value !== null) return value;
    context.issues.push({ code: "custom", message: want, input });
    return z.NEVER;
  });
}

export function parseRate(text: string): Pace | null {
  const [count = "", window = "", ...rest] = text.split("/");
  const windowMs = parseDuration(window, 1);
  if (rest.length > 0 || windowMs === null || !/^[1-9]\d{0,5}$/.test(count)) return null;
  return { count: Number(count), windowMs };
}

/** The path of a unix socket may have 107 bytes and a terminating zero (unix(7)). */
const maxSocketPathBytes = 107;

export function parseListen(text: string): ListenAddress | null {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    const isUsable = isAbsolute(path) && !/\p{Cc}/u.test(path) && Buffer.byteLength(path) <= maxSocketPathBytes;
    return isUsable ? { kind: "unix", path } : null;
  }
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9][a-z0-9.-]*)):(\d{1,5})$/i.exec(text);
  const [, inBrackets, name] = match ?? [];
  const port = Number(match?.[3]);
  if (!(port <= 65_535) || (inBrackets !== undefined && ipVersion(inBrackets) !== 6)) return null;
  return { kind: "tcp", host: inBrackets ?? name ?? "", port };
}

function isHttpUrl(text: string): boolean {
  const address = /^https?:\/\//i.test(text) && !/[\p{Cc}\p{Z}]/u.test(text) ? URL.parse(text) : null;
  return address !== null && address.hostname !== "";
}

export function splitList(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare.toLowerCase() === "localhost" || isLoopbackAddress(bare);
}

/** The base64 of `whsec_<base64>`. */
export function parseWebhookSecret(text: string): string | null {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1] ?? "";
  const { length } = Buffer.from(encoded, "base64");
  return length >= 16 && length <= 256 ? encoded : null;
}
