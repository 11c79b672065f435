import { parseArgs } from "node:util";

/** What `--share N` leaves of a number: all of it with 1, a tenth with 10, at least one. */
export function share(count: number): number {
  const { values } = parseArgs({ options: { share: { type: "string", default: "1" } } });
  const divisor = Number(values.share);
  if (!Number.isInteger(divisor) || divisor < 1) throw new Error("--share wants a whole number from 1 on");
  return Math.max(1, Math.round(count / divisor));
}
