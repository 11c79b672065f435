import type { FormatName } from "../formats/format.ts";

/** So many files of an import are told apart in its evidence. Their names are held in memory and in the segment. */
const maxNamedCount = 100_000;
/** Stands for all files beyond those. */
const furtherFiles = "…";

/** The files of an archive or folder that were read, numbered in their order, each with its format. */
export class EntryTable {
  readonly names: string[] = [];
  readonly formats: FormatName[] = [];
  /** Files that were added, further ones included. */
  count = 0;
  /** The shared entry of further files, by format. */
  readonly #further = new Map<FormatName, number>();
  readonly #maxNamedCount: number;

  /** `limit` exists for tests. */
  constructor(limit = maxNamedCount) {
    this.#maxNamedCount = limit;
  }

  /** The number of a further file. */
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
