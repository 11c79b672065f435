import { leakTitle } from "../../domain/finding.ts";
import { isSensitiveName } from "../../domain/sensitive-site.ts";
import { parseLeakYear } from "../../domain/time.ts";
import type { ParsedFields } from "../record.ts";
import { readDate } from "../record-date.ts";
import { knownLeaks } from "./known-leaks.ts";
import { readUrl } from "./site.ts";

/** Names of leaks and of sites in the exports of Have I Been Pwned, and what may be kept of them. */
export type LeakNames = {
  /** Names of the breach catalogue beyond those that this program knows by itself. */
  readonly catalogueNames: readonly string[];
  /** Whether names that nobody knows are kept where they look like those of the catalogue. */
  readonly keepsUnknown: boolean;
};

/** What else an export says of a leak. */
export type LeakDetails = { readonly date?: string | null | undefined; readonly isSpamList?: boolean | undefined };

/** Joined words with capitals: `ExampleShop`, `Reverb-Nation`, `VTech`; a password has digits, or begins with none. */
const nameLike = /^(?=[A-Za-z-]{2,60}$)[A-Z][a-zA-Z]*(?:-[A-Z][a-zA-Z]*)*$/;

/** So many of the names of a file must be names of leaks or of sites. */
const minShare = 0.8;

export function isKnownLeak(name: string, { catalogueNames }: LeakNames): boolean {
  return knownLeaks.has(name) || setOf(catalogueNames).has(name);
}

/** Whether different names of a file are, as a whole, names of leaks or of sites (docs/pipeline.md 21.4). */
export function areLeakNames(found: readonly string[], names: LeakNames): boolean {
  const different = [...new Set(found)];
  const likely = different.filter((name) => isKnownLeak(name, names) || nameLike.test(name) || isHost(name));
  return likely.length > 0 && likely.length >= different.length * minShare;
}

/** Whether a name is that of a site, as stealer logs have it. */
function isHost(name: string): boolean {
  return name.includes(".") && readUrl(name, { isBareHostAllowed: true }).isUrl;
}

/**
 * What is kept of a leak beside the address: nothing of a name that is not known, of one of a sensitive kind, and of one
 * that says where somebody has an account of such a kind.
 */
export function leakFields(name: string, names: LeakNames, { date, isSpamList }: LeakDetails = {}): ParsedFields {
  if (name.includes(".")) return siteFields(name);
  const day = readDate(date ?? "") ?? undefined;
  const isLikely = names.keepsUnknown && nameLike.test(name);
  const isKept = (isKnownLeak(name, names) || isLikely) && !isSensitiveName(name);
  const droppedCount = Number(!isKept) + Number(day === undefined && (date ?? "") !== "");
  const fields = {
    ...(isSpamList === true ? { category: "spam_list", severity: "low" as const } : {}),
    ...(day === undefined ? {} : { date: day }),
  };
  if (!isKept) return { fields, droppedCount };
  return {
    fields: {
      ...fields,
      subject: name,
      ...(day === undefined ? {} : { title: leakTitle(name, parseLeakYear(day)) }),
      sourceUrl: `https://haveibeenpwned.com/Breach/${name}`,
    },
    droppedCount,
  };
}

function siteFields(name: string): ParsedFields {
  const { isUrl, site } = readUrl(name, { isBareHostAllowed: true });
  const fields = { category: "infostealer", severity: "high" as const };
  if (site !== null) {
    return { fields: { ...fields, subject: site, title: `In infostealer logs for ${site}` }, droppedCount: 0 };
  }
  return isUrl
    ? { fields: { ...fields, subject: "any-infostealer", title: "In infostealer logs" }, droppedCount: 1 }
    : { fields: {}, droppedCount: 1 };
}

const sets = new WeakMap<readonly string[], ReadonlySet<string>>();

function setOf(names: readonly string[]): ReadonlySet<string> {
  const known = sets.get(names) ?? new Set(names);
  sets.set(names, known);
  return known;
}
