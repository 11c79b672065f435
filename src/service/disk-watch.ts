import type { OpenStore } from "../data-directory/data-directory.ts";
import { diskFullText } from "../domain/disk-fault.ts";
import type { Log } from "./log.ts";

/** Half of the second after which all must be normal again (docs/contract.md 12.5a). */
const lookEveryMs = 500;

export type DiskWatch = {
  /** Says what is wrong with the disk of the data directory now; null when nothing is. */
  readonly problem: () => string | null;
  readonly stop: () => void;
};

/** Says in the log when the disk is full and when it has room again, and fills the reserve then. Looks at once. */
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
