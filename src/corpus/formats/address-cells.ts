import type { EmailAddress } from "../../domain/email.ts";
import { addressOf } from "../address.ts";
import { addressesIn } from "../addresses-in.ts";

/** The addresses of a cell, in their order, each once. */
export function addressesInCell(text: string): EmailAddress[] {
  if (!text.includes("@")) return [];
  const one = addressOf(text);
  if (one !== null) return [one];
  // Some exports escape with stray backslashes.
  const found = addressesIn(text.replaceAll("\\", "")).map(({ address }) => address as EmailAddress);
  return [...new Set(found)];
}

/** A cell that is one address, also with a name or in brackets. */
export function isAddressCell(cell: string): boolean {
  return cell.includes("@") && (addressOf(cell) !== null || /<\s*(?:mailto:)?[^<>@\s]+@[^<>@\s]+\s*>\s*$/i.test(cell));
}
