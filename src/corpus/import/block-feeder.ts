import type { Cut, Plan } from "../formats/format.ts";
import { blockSize, type Piece } from "./block.ts";
import type { Lane } from "./lane.ts";

const lineFeed = 0x0a;
/** Blocks queued per lane: the lane reads the first while the second is being handed over. */
const maxWaiting = 2;

type LaneQueue = { readonly lane: Lane; waitingCount: number };

/** A text to read. `cut` finds where the text may be split into blocks; null = one lane reads all of it, in order. */
export type FedText = {
  readonly chunks: AsyncIterable<Buffer>;
  readonly entry: number;
  readonly plan: Plan;
  readonly cut: Cut | null;
};

/** Packs texts into blocks and hands each block to the least busy lane. Small texts share a block. */
export class BlockFeeder {
  readonly #lanes: readonly LaneQueue[];
  readonly #spare: Buffer<ArrayBuffer>[] = [];
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;
  #block: Buffer<ArrayBuffer>;
  #size = 0;
  #pieces: Piece[] = [];
  #blockCount = 0;

  constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes.map((lane) => ({ lane, waitingCount: 0 }));
    this.#block = this.#take();
  }

  /** Reads the text to its end. Rejects with the error of a lane. */
  async feed({ chunks, entry, plan, cut }: FedText): Promise<void> {
    let start = this.#size;
    let isFirst = true;
    let isRest = false;
    let lane: LaneQueue | null = null;
    const addPiece = (end: number, isLast: boolean): void => {
      this.#pieces.push({ start, end, entry, plan, isFirst, isLast, isRest });
      isFirst = false;
      isRest = false;
    };
    for await (const whole of chunks) {
      for (let chunk = whole; chunk.length > 0; ) {
        // One byte stays free for the line feed after the last piece.
        const taken = chunk.copy(this.#block, this.#size, 0, blockSize - 1 - this.#size);
        chunk = chunk.subarray(taken);
        this.#size += taken;
        if (this.#size < blockSize - 1) continue;
        const cutAt = cut === null ? this.#size : cut(this.#block, start, this.#size, plan, isFirst);
        const isTooLong = cutAt <= start && start === 0;
        if (isTooLong) {
          addPiece(this.#size, false);
          isRest = true;
        } else if (cutAt > start) {
          addPiece(cutAt, false);
        }
        if (cut === null) lane ??= this.#freest();
        await this.#send(isTooLong ? this.#size : cutAt, lane);
        start = 0;
      }
    }
    if (isFirst && this.#size === start) return;
    addPiece(this.#size, true);
    this.#block[this.#size++] = lineFeed;
    if (lane !== null || this.#size >= blockSize - 1) await this.#send(this.#size, lane);
  }

  /** Resolves when the lanes have read all blocks. Rejects with the error of a lane. */
  async settle(): Promise<void> {
    if (this.#pieces.length > 0) await this.#send(this.#size, null);
    while (this.#lanes.some(({ waitingCount }) => waitingCount > 0)) await this.#change();
    if (this.#failure !== null) throw this.#failure.error;
  }

  #take(): Buffer<ArrayBuffer> {
    return this.#spare.pop() ?? Buffer.from(new ArrayBuffer(blockSize));
  }

  /** Sends the pieces so far; moves the bytes after `size` to the next block. */
  async #send(size: number, lane: LaneQueue | null): Promise<void> {
    let chosen = lane ?? this.#freest();
    while (chosen.waitingCount >= maxWaiting && this.#failure === null) {
      await this.#change();
      chosen = lane ?? this.#freest();
    }
    if (this.#failure !== null) throw this.#failure.error;
    const block = this.#block;
    const next = this.#take();
    block.copy(next, 0, size, this.#size);
    this.#block = next;
    this.#size = Math.max(0, this.#size - size);
    const pieces = this.#pieces;
    this.#pieces = [];
    if (size < blockSize) block[size] = lineFeed;
    chosen.waitingCount++;
    void chosen.lane
      .addBlock(block, { number: this.#blockCount++, pieces })
      .then((spare) => this.#spare.push(spare))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        chosen.waitingCount--;
        this.#wake();
      });
  }

  #freest(): LaneQueue {
    return this.#lanes.reduce((best, other) => (other.waitingCount < best.waitingCount ? other : best));
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
