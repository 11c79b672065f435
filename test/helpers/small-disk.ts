import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** False when this machine does not let the tests mount a file system; prints a note once. */
export const canMount = ((): boolean => {
  const isMounted = Bun.spawnSync(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]).exitCode === 0;
  if (!isMounted) console.warn("no file system can be mounted here: nothing is tested on a full disk");
  return isMounted;
})();

/** A file system of a few MiB in memory at an empty folder. */
export class SmallDisk implements Disposable {
  readonly path: string;

  constructor(path: string, mebibytes: number) {
    mkdirSync(path, { recursive: true });
    const { exitCode, stderr } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "none", path]);
    if (exitCode !== 0) throw new Error(`the small disk cannot be mounted: ${stderr}`);
    this.path = path;
  }

  /** Fills it to the last byte. */
  fill(): void {
    for (let count = 0; this.freeBytes() > 0; count += 1) {
      try {
        writeFileSync(join(this.path, `filler-${count}`), new Uint8Array(this.freeBytes()));
      } catch {
        // Another process took the rest.
      }
    }
  }

  /** Removes the files of `fill`. */
  free(): void {
    for (let count = 0; ; count += 1) {
      try {
        rmSync(join(this.path, `filler-${count}`));
      } catch {
        return;
      }
    }
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Works even while a process still uses it. */
  [Symbol.dispose](): void {
    Bun.spawnSync(["umount", "-l", this.path]);
  }
}
