import type { BlockList } from "node:net";
import { ipFamily, ipVersion, loadNet } from "./ip-address.ts";

/** A set of networks that an address is in or not. */
export type Networks = {
  /** False for null, an address that nobody knows, and for a text that is no address. */
  readonly has: (address: string | null) => boolean;
};

/** An address or a network such as `10.0.0.0/8` or `2001:db8::/32`, without a zone. */
export function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = ipVersion(address);
  if (family === 0 || rest.length > 0 || address.includes("%")) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

/**
 * The same as CIDR, in lower case: an address alone gets the prefix of its whole length. Null for another text, and for
 * an IPv4 address in the form of IPv6: addresses of callers are in the form of their family, so it would match none.
 */
export function parseCidr(text: string): string | null {
  const network = text.trim().toLowerCase();
  if (!isNetwork(network) || /^::ffff:/.test(network)) return null;
  if (network.includes("/")) return network;
  return `${network}/${ipVersion(network) === 4 ? 32 : 128}`;
}

/** Each entry is one that `isNetwork` is true for. */
export function networksOf(list: readonly string[]): Networks {
  const networks: BlockList = new (loadNet().BlockList)();
  for (const network of list) {
    const [address = "", prefix] = network.split("/");
    if (prefix === undefined) networks.addAddress(address, ipFamily(address));
    else networks.addSubnet(address, Number(prefix), ipFamily(address));
  }
  return {
    has(address) {
      // The zone of a link-local address names an interface of this machine, not a part of the network.
      const [bare = ""] = (address ?? "").split("%", 1);
      return ipVersion(bare) !== 0 && networks.check(bare, ipFamily(bare));
    },
  };
}
