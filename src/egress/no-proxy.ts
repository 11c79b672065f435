import { ipFamily, ipVersion, loadNet } from "../domain/ip-address.ts";

/**
 * Whether a `no_proxy` entry matches the host of a URL. Entries: `*` (everything), `host` (exactly), `.suffix` or
 * `*.suffix` (all names below it), an address or a network such as `10.0.0.0/8` (literal addresses only; names are not
 * resolved), each with an optional `:port`. Ignores case. An invalid entry matches nothing, so a typing error sends
 * more through the proxy, never less.
 */
export function bypassesProxy(url: URL, entries: readonly string[]): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return entries.some((entry) => {
    const { pattern, entryPort } = splitPort(entry.trim().toLowerCase());
    return (entryPort === null || entryPort === port) && matches(host, pattern);
  });
}

function splitPort(entry: string): { pattern: string; entryPort: string | null } {
  if (ipVersion(entry) === 6) return { pattern: entry, entryPort: null };
  const match = /^(.+?)(?::(\d+))?$/.exec(entry);
  return { pattern: (match?.[1] ?? "").replace(/^\[([^\]]*)\]/, "$1"), entryPort: match?.[2] ?? null };
}

function matches(host: string, pattern: string): boolean {
  if (pattern === "*") return true;
  if (ipVersion(host) !== 0) return isInNetwork(host, pattern);
  const suffix = pattern.replace(/^\*(?=\.)/, "");
  return suffix.startsWith(".") ? host.endsWith(suffix) && host !== suffix : host === pattern;
}

function isInNetwork(host: string, pattern: string): boolean {
  const [address = "", prefix] = pattern.split("/");
  const family = ipVersion(address);
  if (family === 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return false;
  const widest = family === 4 ? 32 : 128;
  const length = Number(prefix ?? widest);
  if (length > widest) return false;
  const network = new (loadNet().BlockList)();
  network.addSubnet(address, length, ipFamily(address));
  return network.check(host, ipFamily(host));
}
