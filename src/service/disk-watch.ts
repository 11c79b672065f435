import type { OpenStore } from "../data-directory/data-directory.ts";
import { diskFullText } from "../domain/disk-fault.ts";
import type { Log } from "./log.ts";

/** Half of the second within which everything must work again (docs/contract.md 12.5a). */
const lookEveryMs = 500;

export type DiskWatch = {
  /** Describes the current problem with the disk of the data directory; null when there is none. */
  readonly problem: () => string | null;
  readonly stop: () => void;
};

/** Logs when the disk becomes full and when it has space again, and then refills the reserve. Looks at once. */
export function watchDisk(dataDir: string, { reserve }: Pick<OpenStore, "reserve">, log: Log): DiskWatch {
  let wasFull = false;
  const look = () => {
    const isFull = reserve.tend();
    if (isFull && !wasFull)
      log.error({ path: dataDir }, "the disk is full: cached results are served, nothing is stored");
    if (!isFull && wasFull) log.info({ path: dataDir }, "the disk has room again");
    wasFull = isFull;
  };
  look();
  const timer = setInterval(look, lookEveryMs);
  return {
    problem: () => (reserve.isFull() ? diskFullText(dataDir) : null),
    stop: () => clearInterval(timer),
  };
}
