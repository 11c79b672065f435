import type { EmailAddress } from "../../domain/email.ts";
import { addressOf } from "../address.ts";

/** Characters between the addresses of a cell, and around an address with a name. */
const separators = /[\s,;|<>()[\]{}"]+/;
/** The part of a cell that is read. Real cells hold a few addresses. */
const maxLength = 1 << 16;

/**
 * The addresses of a cell or text meant for addresses, in order, without duplicates: `a@b.example`, `Jane
 * <a@b.example>`, `a@b.example; c@d.example`, `mailto:a@b.example?subject=x`. Removes stray backslashes and repairs
 * nothing else.
 */
export function addressesInCell(text: string): EmailAddress[] {
  if (!text.includes("@")) return [];
  const one = addressOf(text);
  if (one !== null) return [one];
  const found = new Set<EmailAddress>();
  for (const token of text.slice(0, maxLength).replaceAll("\\", "").split(separators)) {
    const address = token.includes("@") ? addressOf(token.replace(/^(mailto:[^?]*)\?.*$/i, "$1")) : null;
    if (address !== null) found.add(address);
  }
  return [...found];
}

/** Whether a cell is one address, possibly with a name or in brackets. */
export function isAddressCell(cell: string): boolean {
  return cell.includes("@") && (addressOf(cell) !== null || namedAddress.test(cell));
}

const namedAddress = /<\s*(?:mailto:)?[^<>@\s]{1,64}@[^<>@\s]{1,253}\s*>\s*$|^\s*mailto:[^@\s]{1,64}@[^@\s]+$/i;
