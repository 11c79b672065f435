import { Damaged } from "./unread.ts";

/**
 * The next bytes of a file or a stream, null at the end. They are valid until the next call. A promise only where it
 * has to wait: 100,000 small files are read without one.
 */
export type Pull = () => Buffer | null | Promise<Buffer | null>;

const nothing = Buffer.alloc(0);

/** Reads ahead in bytes that come in pieces. */
export class ByteReader {
  readonly #pull: Pull;
  #held: Buffer = nothing;
  /** Whether the held bytes stay as they are when more is pulled; then there may be room behind them. */
  #isOwned = false;
  #isEnded = false;

  constructor(pull: Pull) {
    this.#pull = pull;
  }

  /** Of bytes that are all in memory. */
  static of(bytes: Buffer): ByteReader {
    const reader = new ByteReader(() => null);
    reader.#held = bytes;
    reader.#isEnded = true;
    return reader;
  }

  /** What was read ahead; valid until the next call of anything else. */
  get held(): Buffer {
    return this.#held;
  }

  /** Whether no more will come than what is held. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Reads ahead until so many bytes are held, or all there are. */
  hold(size: number): undefined | Promise<undefined> {
    while (this.#held.length < size && !this.#isEnded) {
      this.#own();
      const next = this.#pull();
      if (next instanceof Promise) return this.#holdLater(size, next);
      this.#add(next);
    }
    return undefined;
  }

  async #holdLater(size: number, first: Promise<Buffer | null>): Promise<undefined> {
    this.#add(await first);
    while (this.#held.length < size && !this.#isEnded) {
      this.#own();
      const next = this.#pull();
      this.#add(next instanceof Promise ? await next : next);
    }
  }

  /** So many of the held bytes, which are held no longer. */
  take(size: number): Buffer {
    const taken = this.#held.subarray(0, size);
    this.#held = this.#held.subarray(size);
    return taken;
  }

  /** Puts bytes back that were pulled last and not used; nothing may be held. */
  giveBack(bytes: Buffer): void {
    this.#held = bytes;
    this.#isOwned = false;
  }

  /** All that is left, what is held first. */
  readonly pull: Pull = () => {
    if (this.#held.length > 0) return this.take(this.#held.length);
    if (this.#isEnded) return null;
    const next = this.#pull();
    if (next instanceof Promise) return next.then((chunk) => this.#ended(chunk));
    return this.#ended(next);
  };

  /** The next `size` bytes, in pieces. Throws `Damaged` when there are fewer. */
  limited(size: number): Pull {
    let left = size;
    const cut = (chunk: Buffer | null): Buffer => {
      if (chunk === null) throw new Damaged("damaged or cut short");
      if (chunk.length > left) this.giveBack(chunk.subarray(left));
      const taken = chunk.subarray(0, left);
      left -= taken.length;
      return taken;
    };
    return () => {
      if (left === 0) return null;
      const next = this.pull();
      return next instanceof Promise ? next.then(cut) : cut(next);
    };
  }

  #ended(chunk: Buffer | null): Buffer | null {
    if (chunk === null) this.#isEnded = true;
    return chunk;
  }

  /** Keeps what is held from being overwritten by what is pulled next. */
  #own(): void {
    if (this.#isOwned || this.#held.length === 0) return;
    this.#held = Buffer.from(this.#held);
    this.#isOwned = true;
  }

  #add(chunk: Buffer | null): void {
    if (chunk === null) {
      this.#isEnded = true;
      return;
    }
    if (this.#held.length === 0) {
      this.#held = chunk;
      this.#isOwned = false;
      return;
    }
    this.#held = appended(this.#held, chunk);
  }
}

/** Both as one, in the room behind the first where there is any: adding piece by piece stays linear. */
function appended(first: Buffer, second: Buffer): Buffer {
  const size = first.length + second.length;
  const roomAt = first.byteOffset + first.length;
  let whole: Buffer;
  if (hasRoom.has(first.buffer) && roomAt + second.length <= first.buffer.byteLength) {
    whole = Buffer.from(first.buffer, first.byteOffset, size);
  } else {
    const room = new ArrayBuffer(size * 2);
    hasRoom.add(room);
    whole = Buffer.from(room, 0, size);
    first.copy(whole);
  }
  second.copy(whole, first.length);
  return whole;
}

/** Memory that `appended` made and nobody else writes to. */
const hasRoom = new WeakSet<ArrayBufferLike>();

/** A pull of bytes that are in memory. */
export function pullOf(bytes: Buffer): Pull {
  let left: Buffer | null = bytes.length === 0 ? null : bytes;
  return () => {
    const next = left;
    left = null;
    return next;
  };
}
