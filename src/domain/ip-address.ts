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

/** The eight groups of 16 bits of an IPv6 address, without its zone; null when the text is no IPv6 address. */
function ipv6Groups(address: string): number[] | null {
  const [bare = ""] = address.split("%", 1);
  if (ipVersion(bare) !== 6) return null;
  const hex = bare.replace(/\d+\.\d+\.\d+\.\d+$/, (ipv4) => {
    const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [left = [], right = []] = hex.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}

/** The part of an address that a provider gives to one customer: an IPv4 address, or the /64 of an IPv6 address. */
export function customerOf(address: string): string {
  const groups = ipv6Groups(address);
  return groups === null
    ? address
    : `${groups
        .slice(0, 4)
        .map((group) => group.toString(16))
        .join(":")}::/64`;
}

/**
 * IPv4 addresses that an IPv6 address stands for: mapped and compatible ones, those behind a translator (NAT64, RFC 6052
 * and 8215; SIIT, RFC 7915) or a tunnel (6to4, RFC 3056; Teredo, RFC 4380; ISATAP, RFC 5214).
 */
export function embeddedIpv4(address: string): string[] {
  const groups = ipv6Groups(address);
  if (groups === null) return [];
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const isZero = (...some: number[]) => some.every((group) => group === 0);
  const found: string[] = [];
  if (isZero(a, b, c, d, e) && (f === 0 || f === 0xffff)) found.push(dotted(g, h));
  if (isZero(a, b, c, d, f) && e === 0xffff) found.push(dotted(g, h));
  if (a === 0x64 && b === 0xff9b && (c === 1 || isZero(c, d, e, f))) found.push(dotted(g, h));
  if (a === 0x2002) found.push(dotted(b, c));
  if (a === 0x2001 && b === 0) found.push(dotted(c, d), dotted(g ^ 0xffff, h ^ 0xffff));
  if ((e === 0 || e === 0x200) && f === 0x5efe) found.push(dotted(g, h));
  return found;
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
