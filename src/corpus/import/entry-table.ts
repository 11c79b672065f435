import type { FormatName } from "../formats/format.ts";

/** Limits the file names that evidence can tell apart. They are held in memory and stored in the segment. */
const maxNamedCount = 100_000;
/** The name shared by all files over the limit. */
const furtherFiles = "…";

/** The files of an archive or folder that were read, numbered in reading order, with the format of each. */
export class EntryTable {
  readonly names: string[] = [];
  readonly formats: FormatName[] = [];
  /** All files added, including those over the limit. */
  count = 0;
  /** The shared entry of the files over the limit, per format. */
  readonly #further = new Map<FormatName, number>();
  readonly #maxNamedCount: number;

  /** Tests pass a smaller `limit`. */
  constructor(limit = maxNamedCount) {
    this.#maxNamedCount = limit;
  }

  /** Adds a file and returns its number; files over the limit share one number per format. */
  add(name: string, format: FormatName): number {
    this.count++;
    if (this.names.length < this.#maxNamedCount) return this.#push(name, format);
    const shared = this.#further.get(format);
    if (shared !== undefined) return shared;
    const number = this.#push(furtherFiles, format);
    this.#further.set(format, number);
    return number;
  }

  #push(name: string, format: FormatName): number {
    this.formats.push(format);
    return this.names.push(name) - 1;
  }
}
