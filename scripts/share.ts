import { parseArgs } from "node:util";

/** The share of a number left by `--share N`: all of it for 1, a tenth for 10, at least one. */
export function share(count: number): number {
  const { values } = parseArgs({ options: { share: { type: "string", default: "1" } } });
  const divisor = Number(values.share);
  if (!Number.isInteger(divisor) || divisor < 1) throw new Error("--share wants a whole number from 1 on");
  return Math.max(1, Math.round(count / divisor));
}
