import { corpusPrefixSize } from "../../domain/keyed-hash.ts";
import { AddressFinder } from "./address-finder.ts";
import { LineScanner } from "./line-scanner.ts";

/** An address in a text, in canonical form, and its range. */
export type AddressIn = { readonly start: number; readonly end: number; readonly address: string };

const at = 0x40;

let made: { readonly scanner: LineScanner; readonly finder: AddressFinder } | undefined;

/** The addresses in any text, such as a cell with a name or several addresses. For few texts: it is not fast. */
export function addressesIn(text: string): AddressIn[] {
  const found: AddressIn[] = [];
  eachIn(text, (bytes, start, end, address) => {
    const isAscii = bytes.length - 1 === text.length;
    const offset = (byteOffset: number) => (isAscii ? byteOffset : bytes.toString("utf8", 0, byteOffset).length);
    found.push({ start: offset(start), end: offset(end), address });
  });
  return found;
}

/** The same without the ranges, which are slow to compute in a long text that is not ASCII. */
export function addressTextsIn(text: string): string[] {
  const found: string[] = [];
  eachIn(text, (_bytes, _start, _end, address) => found.push(address));
  return found;
}

function eachIn(text: string, take: (bytes: Buffer, start: number, end: number, address: string) => void): void {
  if (!text.includes("@")) return;
  // Nothing is hashed here, so the prefix is irrelevant.
  const scanner = made?.scanner ?? new LineScanner(new Uint8Array(corpusPrefixSize));
  made ??= { scanner, finder: new AddressFinder(scanner, { hasEscapes: true }) };
  const { finder } = made;
  const bytes = Buffer.from(`${text}\n`);
  const limit = bytes.length - 1;
  for (let sign = bytes.indexOf(at); sign >= 0; sign = bytes.indexOf(at, sign + 1)) {
    if (finder.find(bytes, sign, 0, limit) === "address") take(bytes, finder.start, finder.end, scanner.address());
  }
}
