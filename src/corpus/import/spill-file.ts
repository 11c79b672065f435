import { openSync, readSync, unlinkSync, writeSync } from "node:fs";

/** Creates a file and unlinks it at once: the system frees it when the process closes it or dies. */
export function openUnlinked(path: string): number {
  const file = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  return file;
}

/** Writes all of `bytes` at an offset. */
export function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, position + done);
  }
}

/** Fills `bytes`; throws when the file is too short. */
export function readAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    const size = readSync(file, bytes, done, bytes.length - done, position + done);
    if (size === 0) throw new Error("the spill file was cut short");
    done += size;
  }
}
