/** `YYYY-MM-DDTHH:MM:SS+00:00` (docs/contract.md 0.3). */
export function timestamp(at: Date): string {
  return `${at.toISOString().slice(0, 19)}+00:00`;
}

/** The year of `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, from 1970 on; null for other text and for impossible dates. */
export function parseLeakYear(text: string): number | null {
  const match = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/.exec(text.trim());
  if (match === null) return null;
  const [year, month, day] = [Number(match[1]), Number(match[2] ?? 1), Number(match[3] ?? 1)];
  const date = new Date(Date.UTC(year, month - 1, day));
  return year >= 1970 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? year : null;
}
