import { ipVersion, isLoopbackAddress } from "../domain/ip-address.ts";
import { networksOf } from "../domain/network.ts";

/** The other end of a connection. */
export type Peer = {
  /** Null for a unix socket. */
  readonly address: string | null;
  readonly isTls: boolean;
  /** The listener that accepted the connection; absent for a request without a connection. */
  readonly listener?: Listener;
};

export type Listener = {
  /** True once the next answer on a connection is to be its last. */
  readonly isClosing: () => boolean;
  /** The client of this request waits so long for its answer; without it, its connection ends after a few seconds. */
  readonly keepOpen: (request: Request, seconds: number) => void;
};

/** The proxies whose forwarding headers are trusted, and the host names of the dashboard and the management API. */
export type Trust = {
  /** The peer of a unix socket also counts as a trusted proxy (docs/contract.md 12.2). */
  readonly isTrustedProxy: (address: string) => boolean;
  /** In lower case. */
  readonly hostnames: ReadonlySet<string>;
};

/** Builds `Trust` from `server.trusted_proxies` (addresses and networks) and `server.hostnames`. */
export function makeTrust(trustedProxies: readonly string[], hostnames: readonly string[]): Trust {
  const proxies = trustedProxies.length === 0 ? null : networksOf(trustedProxies);
  return {
    isTrustedProxy: (address) => proxies?.has(address) ?? false,
    hostnames: new Set(hostnames),
  };
}

/**
 * The address of the client: the address of the peer or, when the peer is a trusted proxy, the last address of
 * `X-Forwarded-For` that is not a trusted proxy. Null for a unix socket without this header.
 */
export function clientAddress(headers: Headers, peer: Peer, trust: Trust): string | null {
  const { address } = peer;
  // Fast path: most peers are no trusted proxies, so their headers do not matter.
  if (address !== null && !trust.isTrustedProxy(plainAddress(address))) return plainAddress(address);
  return followBack(headers, peer, trust).address;
}

/**
 * True when the client itself is on this machine. False when a forwarding header comes from an untrusted peer, cannot
 * be parsed, or is a header that we do not read: then the client is unknown.
 */
export function isLoopbackClient(headers: Headers, peer: Peer, trust: Trust): boolean {
  const { address, isCertain } = followBack(headers, peer, trust);
  return isCertain && address !== null && isLoopbackAddress(address);
}

/** Follows `X-Forwarded-For` back to the client. `isCertain` is false when a header claims a client further back. */
function followBack(
  headers: Headers,
  peer: Peer,
  trust: Trust,
): { readonly address: string | null; readonly isCertain: boolean } {
  const own = peer.address === null ? null : plainAddress(peer.address);
  const isForwarded = forwardingHeaders.some((name) => headers.has(name));
  if (own !== null && !trust.isTrustedProxy(own)) return { address: own, isCertain: !isForwarded };
  const list = headers.get("X-Forwarded-For");
  if (list === null) return { address: own, isCertain: !isForwarded };
  let client = own;
  for (const address of list.split(",").map(bareAddress).reverse()) {
    // A trusted proxy writes only addresses, so this entry comes from an untrusted party.
    if (address === null) return { address: client, isCertain: false };
    client = address;
    if (!trust.isTrustedProxy(address)) break;
  }
  return { address: client, isCertain: true };
}

/**
 * True when a forwarding header comes from a peer that is no trusted proxy: a proxy that nobody declared, or a client that
 * lies. The address of the peer then counts as that of the client.
 */
export function isForwardedByStranger(headers: Headers, { address }: Peer, trust: Trust): boolean {
  if (address === null || !forwardingHeaders.some((name) => headers.has(name))) return false;
  return !trust.isTrustedProxy(plainAddress(address));
}

/** True when the browser speaks TLS, to us or to a trusted proxy before us. */
export function isSecure(headers: Headers, peer: Peer, trust: Trust): boolean {
  if (peer.isTls) return true;
  const isBelieved = peer.address === null || trust.isTrustedProxy(plainAddress(peer.address));
  return isBelieved && headers.get("X-Forwarded-Proto")?.split(",").at(-1)?.trim().toLowerCase() === "https";
}

/**
 * True when `Host` is one of our names: a loopback name, an IP literal, or an entry of `server.hostnames`. Any other
 * name may be DNS rebinding: a foreign page whose name was pointed at us.
 */
export function isOwnHost(host: string | null, trust: Trust): boolean {
  const name = hostName(host);
  return name !== null && (ipVersion(name) !== 0 || isLoopbackName(name) || trust.hostnames.has(name));
}

/** True when `Host` is a loopback name or address, or missing, as in HTTP/1.0: browsers always send it. */
export function isLoopbackHost(host: string | null): boolean {
  if (host === null) return true;
  const name = hostName(host);
  return name !== null && (isLoopbackName(name) || (ipVersion(name) !== 0 && isLoopbackAddress(name)));
}

/** The name or address of a `Host` without port and brackets, in lower case; null when it has not that form. */
function hostName(host: string | null): string | null {
  const [, literal, name] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host ?? "") ?? [];
  if (literal !== undefined) return ipVersion(literal) === 6 ? literal.toLowerCase() : null;
  return name?.toLowerCase() ?? null;
}

/** True when `Origin` has the same host and port as `Host` (docs/contract.md 9.1). */
export function isSameOrigin(origin: string | null, host: string | null): boolean {
  const from = origin === null || !/^https?:\/\//i.test(origin) ? null : URL.parse(origin);
  const to = from === null || host === null ? null : URL.parse(`${from.protocol}//${host}`);
  return from !== null && to !== null && from.host === to.host;
}

const forwardingHeaders = ["X-Forwarded-For", "Forwarded", "X-Real-IP"];

function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}

/** Converts an IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) to IPv4; returns others unchanged. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && ipVersion(address.slice(7)) === 4 ? address.slice(7) : address;
}

/** An entry of `X-Forwarded-For` without its port; null when the entry is not an IP address. */
function bareAddress(entry: string): string | null {
  const text = entry.trim();
  const bare =
    /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? (/^[\d.]+:\d+$/.test(text) ? text.split(":", 1)[0] : text) ?? "";
  return ipVersion(bare) === 0 ? null : plainAddress(bare.toLowerCase());
}
