import type { BlockList } from "node:net";

/**
 * Loads `node:net` when first needed: the module and its dependencies take a fifth of the time until the service
 * answers.
 */
export function loadNet(): typeof import("node:net") {
  return require("node:net");
}

/** 4 or 6; 0 when the text is not an IP address. */
export function ipVersion(text: string): number {
  return loadNet().isIP(text);
}

/** The family names of `net.BlockList`. */
export function ipFamily(address: string): "ipv4" | "ipv6" {
  return ipVersion(address) === 6 ? "ipv6" : "ipv4";
}

let loopback: BlockList | null = null;

/** True for 127.0.0.0/8 and ::1; false when the text is not an IP address. */
export function isLoopbackAddress(address: string): boolean {
  if (address === "127.0.0.1" || address === "::1") return true;
  if (ipVersion(address) === 0) return false;
  if (loopback === null) {
    loopback = new (loadNet().BlockList)();
    loopback.addSubnet("127.0.0.0", 8, "ipv4");
    loopback.addAddress("::1", "ipv6");
  }
  return loopback.check(address, ipFamily(address));
}
