import { ipVersion, isLoopbackAddress } from "../domain/ip-address.ts";
import { networksOf } from "../domain/network.ts";

/** Who is at the other end of the connection. */
export type Peer = {
  /** Null for a unix socket. */
  readonly address: string | null;
  readonly isTls: boolean;
};

/** Whose forwarding headers are believed, and the names that the dashboard, sessions and management answer to. */
export type Trust = {
  /** The peer of a unix socket is one of them (docs/contract.md 12.2). */
  readonly isTrustedProxy: (address: string) => boolean;
  /** In lower case. */
  readonly hostnames: ReadonlySet<string>;
};

/** Builds the rules of trust from `server.trusted_proxies` (addresses and networks) and `server.hostnames`. */
export function makeTrust(trustedProxies: readonly string[], hostnames: readonly string[]): Trust {
  const proxies = trustedProxies.length === 0 ? null : networksOf(trustedProxies);
  return {
    isTrustedProxy: (address) => proxies?.has(address) ?? false,
    hostnames: new Set(hostnames),
  };
}

/**
 * The address that a request comes from: that of the peer, or, when the peer is a trusted proxy, the last one of
 * `X-Forwarded-For` that is not such a proxy itself. Null for a unix socket whose peer does not say.
 */
export function clientAddress(headers: Headers, peer: Peer, trust: Trust): string | null {
  const { address } = peer;
  // Of most peers no header is believed, so none is read.
  if (address !== null && !trust.isTrustedProxy(plainAddress(address))) return plainAddress(address);
  return followBack(headers, peer, trust).address;
}

/**
 * True when the client itself is on this machine. A forwarding header that is not believed, not read or does not say
 * who the client is makes it a stranger.
 */
export function isLoopbackClient(headers: Headers, peer: Peer, trust: Trust): boolean {
  const { address, isCertain } = followBack(headers, peer, trust);
  return isCertain && address !== null && isLoopbackAddress(address);
}

/** The way back to the client; it is not certain when it ends before what somebody claims to lie behind. */
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
    // What is no address was not written by a proxy that we trust.
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
 * True when `Host` is a name of our own: a loopback name, an IP literal, or one of `server.hostnames`. Another one is a
 * page of somebody else's that a browser was led to us with (DNS rebinding).
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

/** True when the `Origin` of a browser has the host and port of `Host` (docs/contract.md 9.1). */
export function isSameOrigin(origin: string | null, host: string | null): boolean {
  const from = origin === null || !/^https?:\/\//i.test(origin) ? null : URL.parse(origin);
  const to = from === null || host === null ? null : URL.parse(`${from.protocol}//${host}`);
  return from !== null && to !== null && from.host === to.host;
}

const forwardingHeaders = ["X-Forwarded-For", "Forwarded", "X-Real-IP"];

function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}

/** IPv4 in its own form, also where the socket is an IPv6 one. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && ipVersion(address.slice(7)) === 4 ? address.slice(7) : address;
}

/** An entry of `X-Forwarded-For` without its port; null when it is no address. */
function bareAddress(entry: string): string | null {
  const text = entry.trim();
  const bare =
    /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? (/^[\d.]+:\d+$/.test(text) ? text.split(":", 1)[0] : text) ?? "";
  return ipVersion(bare) === 0 ? null : plainAddress(bare.toLowerCase());
}
