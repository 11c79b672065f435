import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import type { BlockList, Socket } from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";
import { SourceError } from "../domain/error.ts";
import { embeddedIpv4, ipFamily, ipVersion, loadNet } from "../domain/ip-address.ts";
import { aborted } from "./aborted.ts";
import { codeOf } from "./code-of.ts";
import { tlsError } from "./tls-fault.ts";

/** An open connection. It already has a listener for late `error` events. */
export type Connected = Socket | TLSSocket;

/** Resolves a name to all its addresses. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export const resolveHost: Resolve = async (hostname) => {
  const { lookup } = await import("node:dns/promises");
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
};

/** Loaded with the first use of TLS: an appliance in an air gap starts faster without it. */
function loadTls(): typeof import("node:tls") {
  return require("node:tls");
}

const maxAddresses = 4;
/** Time for one address while others are left to try. */
const attemptMs = 3_000;

/**
 * Connects to the host and port of a URL. The name is resolved once and the checked address is the connected one, which
 * prevents DNS rebinding. Throws `SourceError` `unreachable`, or the reason of the signal.
 */
export async function connectTcp(url: URL, resolve: Resolve, signal: AbortSignal): Promise<Socket> {
  const addresses = await addressesOf(url, resolve, signal);
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const codes = [];
  for (const [index, address] of addresses.entries()) {
    const isLast = index === addresses.length - 1;
    const socket = loadNet().connect({ host: address, port, noDelay: true });
    socket.on("error", ignore);
    try {
      await once(socket, "connect", {
        signal: isLast ? signal : AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]),
      });
      return socket;
    } catch (error) {
      socket.destroy();
      signal.throwIfAborted();
      codes.push(codeOf(error));
    }
  }
  throw new SourceError("unreachable", `${url.host}: cannot connect (${codes.join(", ")})`);
}

async function addressesOf(url: URL, resolve: Resolve, signal: AbortSignal): Promise<readonly string[]> {
  const host = bare(url.hostname);
  const addresses = ipVersion(host) === 0 ? await namesToAddresses(url, resolve, signal) : [host];
  if (addresses.some(isForbiddenAddress)) {
    throw new SourceError("unreachable", `${url.host}: link-local and metadata addresses are refused`);
  }
  return addresses.slice(0, maxAddresses);
}

async function namesToAddresses(url: URL, resolve: Resolve, signal: AbortSignal): Promise<readonly string[]> {
  try {
    return await Promise.race([resolve(url.hostname), aborted(signal)]);
  } catch (error) {
    signal.throwIfAborted();
    throw new SourceError("unreachable", `${url.host}: unknown name (${codeOf(error)})`);
  }
}

/** Metadata services of clouds outside the link-local 169.254.0.0/16, which most clouds use. */
const metadataAddresses = [
  // Alibaba, Oracle, Azure.
  "100.100.100.200",
  "192.0.0.192",
  "168.63.129.16",
  // Amazon, Google, Oracle, Scaleway.
  "fd00:ec2::254",
  "fd20:ce::254",
  "fd00:c1::a9fe:a9fe",
  "fd00:42::42",
];

let forbiddenAddresses: BlockList | null = null;

function makeForbiddenAddresses(): BlockList {
  const list = new (loadNet().BlockList)();
  list.addSubnet("169.254.0.0", 16, "ipv4");
  list.addSubnet("fe80::", 10, "ipv6");
  for (const address of metadataAddresses) list.addAddress(address, ipFamily(address));
  return list;
}

/**
 * Is the host of a URL a link-local address, the metadata service of a cloud, or an IPv6 address that a translator or
 * tunnel maps to such an address? They hand out credentials of the machine and never hold breach data, so a source that is
 * marked internal may not ask them either. Other private addresses are normal here (a MISP within the perimeter).
 */
export function isForbiddenAddress(host: string): boolean {
  const address = bare(host);
  if (ipVersion(address) === 0) return false;
  const list = forbiddenAddresses ?? makeForbiddenAddresses();
  forbiddenAddresses = list;
  return [address, ...embeddedIpv4(address)].some((one) => list.check(one, ipFamily(one)));
}

/**
 * Starts TLS on an open connection and verifies the certificate for the host of the URL; nothing can disable that.
 * Throws `SourceError` `tls`, `unreachable` when the peer hangs up, or the reason of the signal.
 */
export async function startTls(
  socket: Connected,
  url: URL,
  secureContext: SecureContext,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = bare(url.hostname);
  const { checkServerIdentity, connect: secure } = loadTls();
  const secured = secure({
    socket,
    secureContext,
    // A server name must be a name, not an address (RFC 6066, section 3).
    ...(ipVersion(host) === 0 ? { servername: host } : {}),
    // Set explicitly to override NODE_TLS_REJECT_UNAUTHORIZED.
    rejectUnauthorized: true,
    // Set explicitly: without a name the runtime would verify the address of the socket's peer, which is the proxy.
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    ALPNProtocols: ["http/1.1"],
  });
  secured.on("error", ignore);
  try {
    await once(secured, "secureConnect", { signal });
    return secured;
  } catch (error) {
    secured.destroy();
    socket.destroy();
    signal.throwIfAborted();
    const code = codeOf(error);
    if (code.startsWith("E") && !code.startsWith("ERR_")) throw new SourceError("unreachable", `${url.host}: ${code}`);
    throw tlsError(url.host, code);
  }
}

/** PEM texts of a certificate with its intermediates, and of its key. */
export type ClientCertificate = { readonly cert: string; readonly key: string };

/**
 * A context that trusts exactly these PEM certificates. `own` is sent to a peer that asks for a certificate. Throws
 * when a certificate is unreadable or the key does not match.
 */
export function trust(pem: readonly string[], own: ClientCertificate | null = null): SecureContext {
  return loadTls().createSecureContext({ ca: [...pem], ...own });
}

/** Paths of the system's trusted certificates on Debian, Red Hat and SUSE, which include those of the organisation. */
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
];

/** The system's trusted certificates as PEM; without them, those of the runtime. */
export function systemCa(): string {
  const bundle = systemBundles.find((file) => existsSync(file));
  return bundle === undefined ? loadTls().rootCertificates.join("\n") : readFileSync(bundle, "utf8");
}

/** Removes the brackets of an IPv6 host: `[::1]` -> `::1`. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** Without a listener, a late error of a socket would end the process. */
function ignore(): void {}
