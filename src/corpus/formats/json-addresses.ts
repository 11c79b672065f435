import type { EmailAddress } from "../../domain/email.ts";
import { addressOf } from "../address.ts";
import { isAbsent } from "../record.ts";
import { addressesInCell } from "./address-cells.ts";
import { addressTextsIn } from "./addresses-in.ts";
import { columnName, isSecondName, isSecretKind, kindOfName } from "./column-names.ts";

export type JsonObject = { readonly [name: string]: unknown };

/**
 * How certain a member holds the address of its record: named after addresses; the same, but for another person or a
 * further address; a login; any other name with a value that is exactly an address.
 */
const ranks = { mail: 0, second: 1, login: 2, other: 3 } as const;
export type Rank = (typeof ranks)[keyof typeof ranks];
export const otherRank = ranks.other;

/** A member that may hold the address of its record. */
export type Claim = {
  readonly rank: Rank;
  /** The name is listed in docs/contract.md 11.4. */
  readonly isContractName: boolean;
  /** In order, without duplicates; empty for text that is not an address. */
  readonly addresses: readonly EmailAddress[];
};

/** The claim of a member to the address of its record, or null. With `column`, only that name counts. */
export function claimOf(name: string, value: unknown, column: string | null): Claim | null {
  const kind = kindOfName(name);
  const isWished = column !== null && columnName(name) === column;
  if ((column !== null && !isWished) || (!isWished && isSecretKind(kind))) return null;
  const isMail = isWished || kind === "email" || kind === "mail";
  if (!isMail && kind !== "login") return otherClaim(value);
  const texts = (isMail ? mailTextsOf(value) : textsOf(value)).filter((text) => !isAbsent(text));
  if (texts.length === 0) return null;
  const addresses = [...new Set(texts.flatMap(addressesInCell))];
  const rank = !isMail ? ranks.login : isSecondName(name) && !isWished ? ranks.second : ranks.mail;
  // A user name that is not an address is not an error.
  return addresses.length === 0 && !isMail ? null : { rank, isContractName: kind === "email", addresses };
}

function otherClaim(value: unknown): Claim | null {
  if (typeof value !== "string" || !value.includes("@")) return null;
  const address = addressOf(value);
  return address === null ? null : { rank: ranks.other, isContractName: false, addresses: [address] };
}

/** The better of two claims; the first if they are equal. A claim with an address beats a claim without. */
export function betterClaim(a: Claim | null, b: Claim | null): Claim | null {
  if (a === null || b === null) return a ?? b;
  const [hasA, hasB] = [a.addresses.length > 0, b.addresses.length > 0];
  if (hasA !== hasB) return hasA ? a : b;
  if (a.rank !== b.rank) return a.rank < b.rank ? a : b;
  return b.isContractName && !a.isContractName ? b : a;
}

/** The texts of a member named after logins or addresses: `"a"`, `["a","b"]`. */
function textsOf(value: unknown): string[] {
  return [value].flat().filter((one) => typeof one === "string");
}

/** A member named after addresses may also be `{"value":"a"}` or `[{"value":"a"}]`. */
function mailTextsOf(value: unknown): string[] {
  const parts: unknown[] = [value].flat();
  return parts.flatMap((part) =>
    isObject(part)
      ? Object.entries(part).flatMap(([name, one]) => (isValueName(name) ? textsOf(one) : []))
      : textsOf(part),
  );
}

function isValueName(name: string): boolean {
  const kind = kindOfName(name);
  return kind === "email" || kind === "mail" || /^(?:value|address|addr|text|data)$/i.test(name);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Deeper values are ignored: real records are not so deep, and hostile text may have any depth. */
const maxNesting = 100;

/** Counts the addresses in the names and texts of a value, except for those in `taken`. */
export function countAddresses(value: unknown, taken: ReadonlySet<string>, nesting = 0): number {
  if (typeof value === "string") return countIn(value, taken);
  if (typeof value !== "object" || value === null || nesting > maxNesting) return 0;
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + countAddresses(one, taken, nesting + 1), 0);
  return Object.entries(value).reduce(
    (sum, [name, one]) => sum + countIn(name, taken) + countAddresses(one, taken, nesting + 1),
    0,
  );
}

function countIn(text: string, taken: ReadonlySet<string>): number {
  return text.includes("@") ? addressTextsIn(text).filter((address) => !taken.has(address)).length : 0;
}
