import { safeName } from "./entry-name.ts";
import type { LeftOut } from "./open-input.ts";

const maxNamed = 1000;
/** Distinct reasons counted for the files that are not named. */
const maxReasons = 20;
/** Files named in an error message. */
const maxShown = 5;

/** Files that were left out. The first 1,000 are named and the rest only counted, so memory is bounded. */
export class LeftOutList {
  readonly #named: LeftOut[] = [];
  readonly #further = new Map<string, number>();
  count = 0;

  add(path: string, reason: string): void {
    this.count++;
    if (this.#named.length < maxNamed) {
      this.#named.push({ file: safeName(path), reason });
      return;
    }
    const known = this.#further.has(reason) || this.#further.size < maxReasons ? reason : "not read";
    this.#further.set(known, (this.#further.get(known) ?? 0) + 1);
  }

  list(): readonly LeftOut[] {
    if (this.#further.size === 0) return [...this.#named];
    const counts = [...this.#further].sort(([, a], [, b]) => b - a);
    const furtherCount = counts.reduce((sum, [, count]) => sum + count, 0);
    const reason = counts.map(([text, count]) => (counts.length === 1 ? text : `${grouped(count)} ${text}`)).join("; ");
    return [...this.#named, { file: `${grouped(furtherCount)} more ${furtherCount === 1 ? "file" : "files"}`, reason }];
  }

  /** The first files left out, as part of an error message; empty when there are none. */
  describe(): string {
    return describeLeftOut(this.list(), this.count);
  }
}

/** Lists left-out files with their reasons, for the error "no file is left"; empty for an empty list. */
export function describeLeftOut(list: readonly LeftOut[], count = list.length): string {
  const shown = list.slice(0, maxShown).map(({ file, reason }) => `${file} is ${reason}`);
  if (count > maxShown) shown.push(`and ${grouped(count - maxShown)} more`);
  return shown.join("; ");
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
