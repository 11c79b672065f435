import { openSync, readSync, unlinkSync, writeSync } from "node:fs";

/** A new file without a name: the system frees it when it is closed, however that happens. */
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

/** Fills `bytes`; throws when the file ends before. */
export function readAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    const size = readSync(file, bytes, done, bytes.length - done, position + done);
    if (size === 0) throw new Error("the spill file was cut short");
    done += size;
  }
}
