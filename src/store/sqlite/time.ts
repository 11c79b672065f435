/** A stored time, Unix milliseconds, as a Date. */
export function toDate(milliseconds: number): Date;
export function toDate(milliseconds: number | null): Date | null;
export function toDate(milliseconds: number | null): Date | null {
  return milliseconds === null ? null : new Date(milliseconds);
}

const hourMs = 3_600_000;

/** The start of the hour of a time, Unix milliseconds. */
export function hourOf(at: Date): number {
  const milliseconds = at.getTime();
  return milliseconds - (milliseconds % hourMs);
}
