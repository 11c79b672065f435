import { parseLeakYear } from "../domain/time.ts";

/**
 * Reads the day, month or year of a text in a breach file, as `YYYY-MM-DD`, `YYYY-MM` or `YYYY`; null when the date is
 * missing or ambiguous. Accepts ISO 8601 with or without a time, epochs in seconds to microseconds, `DD.MM.YYYY`,
 * English month names, and day and month in any order if only one of them can be the day. Drops the time and ignores
 * the zone.
 */
export function readDate(text: string): string | null {
  if (text.length > maxLength) return null;
  const plain = text.trim();
  if (parseLeakYear(plain) !== null) return plain;
  if (/^\d[\d.]*$/.test(plain)) return readNumber(plain);
  const [day = ""] = plain.split(timeOfDay, 1);
  return readNumericDate(day.trim()) ?? readNamedMonth(plain);
}

const maxLength = 64;
/** A time of day; the text before it is the date. */
const timeOfDay = /(?<=\d)(?:[T ,]\s*|\s+(?:at|um)\s+)\d{1,2}[:.]\d{2}/i;

/** `20210408`, epochs, and dates with dots. */
function readNumber(text: string): string | null {
  const compact = /^((?:19|20)\d{2})(\d{2})(\d{2})$/.exec(text);
  if (compact !== null) return dateOf(compact[1], compact[2], compact[3]);
  const digits = /^(\d{9,16})(?:\.\d{1,9})?$/.exec(text)?.[1];
  if (digits === undefined) return readNumericDate(text);
  const perMillisecond = epochUnits[digits.length];
  if (perMillisecond === undefined) return null;
  const date = new Date(Number(digits) / perMillisecond);
  return date.getUTCFullYear() > maxYear ? null : date.toISOString().slice(0, 10);
}

/** Units of an epoch per millisecond, by its number of digits: seconds from 1973 on, and finer units. */
const epochUnits: Readonly<Record<number, number>> = { 9: 0.001, 10: 0.001, 12: 1, 13: 1, 15: 1000, 16: 1000 };

/** Later years are not dates of leaks. */
const maxYear = 2100;

function readNumericDate(text: string): string | null {
  const yearFirst = /^(\d{4})([-/.])(\d{1,2})(?:\2(\d{1,2}))?$/.exec(text);
  if (yearFirst !== null) return dateOf(yearFirst[1], yearFirst[3], yearFirst[4]);
  const monthOnly = /^(\d{1,2})[-/.](\d{4})$/.exec(text);
  if (monthOnly !== null) return dateOf(monthOnly[2], monthOnly[1]);
  const yearLast = /^(\d{1,2})([-/.])(\d{1,2})\2(\d{4})$/.exec(text);
  if (yearLast === null) return null;
  const [, first, sign, second, year] = yearLast;
  if (sign === "." || Number(first) > 12 || first === second) return dateOf(year, second, first);
  return Number(second) > 12 ? dateOf(year, first, second) : null;
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** `13 Jan 2024`, `January 13, 2024`, `Sat Jan 13 10:11:12 UTC 2024`, `January 2024`. */
function readNamedMonth(text: string): string | null {
  const words = text.toLowerCase().match(/\d+(?::\d+)*|[a-z]+/g) ?? [];
  const names = words.filter((word) => monthNames.test(word));
  const years = words.filter((word) => /^(?:19|20)\d{2}$/.test(word));
  const days = words.filter((word) => /^\d{1,2}$/.test(word)).slice(0, 1);
  const [name] = names;
  if (name === undefined || names.length > 1 || years.length !== 1) return null;
  return dateOf(years[0], String(months.indexOf(name.slice(0, 3)) + 1), days[0]);
}

const monthNames =
  /^(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)$/;

function dateOf(year = "", month = "", day?: string): string | null {
  const text = [year, month.padStart(2, "0"), ...(day === undefined ? [] : [day.padStart(2, "0")])].join("-");
  return Number(year) <= maxYear && parseLeakYear(text) !== null ? text : null;
}
