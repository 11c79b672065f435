let faultCount = 0;

/** Prints what was measured of a guarantee, and whether it held. */
export function judge(holds: boolean, text: string): void {
  console.log(`${holds ? "holds" : "FAULT"}: ${text}`);
  if (!holds) faultCount += 1;
}

/** Ends the program: with 0 when every guarantee held, else with 1. */
export function finish(): never {
  process.exit(faultCount === 0 ? 0 : 1);
}
