import { leakTitle } from "../../domain/finding.ts";
import { isSensitiveName } from "../../domain/sensitive-site.ts";
import { parseLeakYear } from "../../domain/time.ts";
import type { ParsedFields } from "../record.ts";
import { readDate } from "../record-date.ts";
import { knownLeaks } from "./known-leaks.ts";
import { readUrl } from "./site.ts";

/** Names of leaks and sites in exports of Have I Been Pwned, and which may be kept. */
export type LeakNames = {
  /** Names in the breach catalogue that are not built into this program. */
  readonly catalogueNames: readonly string[];
  /** Whether an unknown name is kept if it looks like a name of the catalogue. */
  readonly keepsUnknown: boolean;
};

/** Further details of a leak in an export. */
export type LeakDetails = { readonly date?: string | null | undefined; readonly isSpamList?: boolean | undefined };

/**
 * Capitalised words joined to one: `ExampleShop`, `Reverb-Nation`, `VTech`. Passwords usually have digits or a
 * lower-case start.
 */
const nameLike = /^(?=[A-Za-z-]{2,60}$)[A-Z][a-zA-Z]*(?:-[A-Z][a-zA-Z]*)*$/;

/** Share of the names of a file that must be names of leaks or sites. */
const minShare = 0.8;

function isKnownLeak(name: string, { catalogueNames }: LeakNames): boolean {
  return knownLeaks.has(name) || setOf(catalogueNames).has(name);
}

/** Whether the distinct names of a file are, as a whole, names of leaks or sites (docs/pipeline.md 21.4). */
export function areLeakNames(found: readonly string[], names: LeakNames): boolean {
  const different = [...new Set(found)];
  const likely = different.filter((name) => isKnownLeak(name, names) || nameLike.test(name) || isHost(name));
  return likely.length > 0 && likely.length >= different.length * minShare;
}

/** Whether a name is that of a site, as in stealer logs. */
function isHost(name: string): boolean {
  return name.includes(".") && readUrl(name, { isBareHostAllowed: true }).isUrl;
}

/**
 * The fields kept of a leak. Drops unknown names, sensitive names, and names that reveal an account at a sensitive
 * site.
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
