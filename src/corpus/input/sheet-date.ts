/**
 * Built-in number formats that show a date (ECMA-376, part 1, 18.8.30). Formats from 164 on are defined by the
 * workbook.
 */
const dateFormats = new Set([14, 15, 16, 17, 22, 27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 55, 56, 57, 58]);

/** Whether a number format shows a date. */
export function isDateFormat(id: number, code: string | undefined): boolean {
  if (code === undefined) return dateFormats.has(id);
  // Removes quoted text, escaped characters, colours and conditions. A year, or a day and a month, make a date.
  const letters = code.replace(/"[^"]*"|\\.|_.|\*.|\[[^\]]*\]/g, "");
  return /y/i.test(letters) || (/d/i.test(letters) && /m/i.test(letters));
}

const dayMs = 86_400_000;
/** Day 0. In the 1900 calendar it is one day off before March 1900, because Excel has a 29 February 1900. */
const epochs = { from1900: Date.UTC(1899, 11, 30), from1904: Date.UTC(1904, 0, 1) };
/** The next day would be in the year 10000. */
const maxDay = 2_958_465;

/** The date of a day number, as `YYYY-MM-DD`, with the time if it has one; null for a number outside the calendar. */
export function dateOf(days: number, isFrom1904: boolean): string | null {
  if (!(days >= 1 && days <= maxDay)) return null;
  const start = isFrom1904 ? epochs.from1904 : epochs.from1900 + (days < 60 ? dayMs : 0);
  const text = new Date(start + Math.round(days * dayMs)).toISOString().slice(0, 19);
  return text.endsWith("T00:00:00") ? text.slice(0, 10) : text.replace("T", " ");
}
