import { expect, test } from "vitest";
import { networksOf, parseCidr } from "../../src/domain/network.ts";

test.each([
  { text: "10.0.0.0/8", cidr: "10.0.0.0/8" },
  { text: " 2001:DB8::/32 ", cidr: "2001:db8::/32" },
  { text: "192.0.2.7", cidr: "192.0.2.7/32" },
  { text: "2001:db8::7", cidr: "2001:db8::7/128" },
  { text: "0.0.0.0/0", cidr: "0.0.0.0/0" },
  { text: "", cidr: null },
  { text: "10.0.0.0/33", cidr: null },
  { text: "2001:db8::/129", cidr: null },
  { text: "10.0.0.0/", cidr: null },
  { text: "10.0.0.0/8/8", cidr: null },
  { text: "10.0.0.0/-1", cidr: null },
  { text: "10.0.0/8", cidr: null },
  { text: "010.0.0.0/8", cidr: null },
  { text: "siem.example.com", cidr: null },
  { text: "10.0.0.1,10.0.0.2", cidr: null },
  { text: "fe80::1%eth0", cidr: null },
  { text: "::ffff:10.0.0.0/104", cidr: null },
  { text: "::ffff:a00:1", cidr: null },
])("'$text' as CIDR: $cidr", ({ text, cidr }) => {
  expect(parseCidr(text)).toBe(cidr);
});

test.each([
  { list: ["10.0.0.0/8"], address: "10.255.0.1", isIn: true },
  { list: ["10.0.0.0/8"], address: "11.0.0.1", isIn: false },
  { list: ["10.1.2.3/8"], address: "10.9.9.9", isIn: true },
  { list: ["192.0.2.7/32"], address: "192.0.2.7", isIn: true },
  { list: ["192.0.2.7/32"], address: "192.0.2.8", isIn: false },
  { list: ["192.0.2.7"], address: "192.0.2.7", isIn: true },
  { list: ["0.0.0.0/0"], address: "2001:db8::1", isIn: false },
  { list: ["2001:db8::/32", "192.0.2.0/24"], address: "192.0.2.9", isIn: true },
  { list: ["fe80::/10"], address: "fe80::1%eth0", isIn: true },
  { list: ["10.0.0.0/8"], address: "10.0.0.1, 10.0.0.2", isIn: false },
  { list: ["10.0.0.0/8"], address: null, isIn: false },
  { list: [], address: "10.0.0.1", isIn: false },
])("$address is in $list: $isIn", ({ list, address, isIn }) => {
  expect(networksOf(list).has(address)).toBe(isIn);
});
