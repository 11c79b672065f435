/** Keeps every date that is computed from a duration far inside what a Date can hold. */
const maxDurationMs = 36_500 * 24 * 60 * 60 * 1000;
const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of one whole number and one of s, m, h, d (docs/contract.md 12.2); null for another text. */
export function parseDuration(text: string, minMs: number, maxMs = maxDurationMs): number | null {
  const match = /^(\d{1,10})([smhd])$/.exec(text);
  const unit = match?.[2];
  if (unit !== "s" && unit !== "m" && unit !== "h" && unit !== "d") return null;
  const ms = Number(match?.[1]) * unitMs[unit];
  return ms >= minMs && ms <= maxMs ? ms : null;
}
