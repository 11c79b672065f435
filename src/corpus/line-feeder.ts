import type { InputEntry } from "./input/open-input.ts";
import type { Lane } from "./lane.ts";
import { isLineEnd } from "./line-scanner.ts";

/** Bytes handed to a lane at a time. A line that does not fit is far above the longest that is read. */
export const blockSize = 1 << 20;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** Blocks that wait for one lane: while one is read, the next is on its way. */
const maxWaiting = 2;

/** Hands blocks of whole lines to whichever lane is free. */
export class LineFeeder {
  readonly #lanes: readonly { readonly lane: Lane; waitingCount: number }[];
  readonly #spare: Buffer<ArrayBuffer>[] = [];
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;

  constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes.map((lane) => ({ lane, waitingCount: 0 }));
  }

  /** Cuts the text of an entry into blocks. Throws what a lane throws. */
  async feed(chunks: InputEntry["chunks"], entry: number): Promise<void> {
    let block = this.#take();
    let size = 0;
    let isSkipping = false;
    for await (const whole of chunks) {
      let chunk = whole;
      while (chunk.length > 0) {
        if (isSkipping) {
          const end = chunk.findIndex(isLineEnd);
          if (end < 0) break;
          isSkipping = false;
          chunk = chunk.subarray(end);
        }
        // One byte stays free for a line end behind the last line.
        const taken = chunk.copy(block, size, 0, blockSize - 1 - size);
        chunk = chunk.subarray(taken);
        size += taken;
        if (size < blockSize - 1) continue;
        const cut = lastLineEnd(block, size);
        if (cut === 0) {
          await this.#lanes[0]?.lane.addTooLong();
          isSkipping = true;
          size = 0;
          continue;
        }
        const next = this.#take();
        block.copy(next, 0, cut, size);
        await this.#send(block, cut, entry);
        block = next;
        size -= cut;
      }
    }
    if (size === 0) return;
    block[size] = lineFeed;
    await this.#send(block, size + 1, entry);
  }

  /** When all blocks have been read. Throws what a lane throws. */
  async settle(): Promise<void> {
    while (this.#lanes.some(({ waitingCount }) => waitingCount > 0)) await this.#change();
    if (this.#failure !== null) throw this.#failure.error;
  }

  #take(): Buffer<ArrayBuffer> {
    return this.#spare.pop() ?? Buffer.from(new ArrayBuffer(blockSize));
  }

  async #send(block: Buffer<ArrayBuffer>, size: number, entry: number): Promise<void> {
    let freest = this.#freest();
    while (freest.waitingCount >= maxWaiting && this.#failure === null) {
      await this.#change();
      freest = this.#freest();
    }
    if (this.#failure !== null) throw this.#failure.error;
    freest.waitingCount++;
    void freest.lane
      .addLines(block, size, entry)
      .then((spare) => this.#spare.push(spare))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        freest.waitingCount--;
        this.#wake();
      });
  }

  #freest() {
    return this.#lanes.reduce((best, other) => (other.waitingCount < best.waitingCount ? other : best));
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** The offset behind the last line end of a block, 0 when there is none. CR LF is not cut in half. */
function lastLineEnd(block: Buffer, size: number): number {
  const feed = block.lastIndexOf(lineFeed, size - 1);
  if (feed >= 0) return feed + 1;
  // A CR at the very end may be half of a CR LF.
  const ending = block.lastIndexOf(carriageReturn, size - 2);
  return ending + 1;
}
