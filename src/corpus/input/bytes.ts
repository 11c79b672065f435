import { Damaged } from "./unread.ts";

/**
 * Returns the next bytes of a file or a stream; null at the end. The bytes are valid until the next call. Returns a
 * promise only when it must wait, so that 100,000 small files are read without promises.
 */
export type Pull = () => Buffer | null | Promise<Buffer | null>;

const nothing = Buffer.alloc(0);

/** A reader with lookahead over bytes that arrive in pieces. */
export class ByteReader {
  readonly #pull: Pull;
  #held: Buffer = nothing;
  /** Whether later pulls leave the held bytes unchanged. Then there may be room after them. */
  #isOwned = false;
  #isEnded = false;

  constructor(pull: Pull) {
    this.#pull = pull;
  }

  /** A reader of bytes that are all in memory. */
  static of(bytes: Buffer): ByteReader {
    const reader = new ByteReader(() => null);
    reader.#held = bytes;
    reader.#isEnded = true;
    return reader;
  }

  /** The bytes read ahead; valid until the next call of any other method. */
  get held(): Buffer {
    return this.#held;
  }

  /** Whether the source has ended, so that only the held bytes are left. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Reads ahead until at least `size` bytes are held, or the source ends. */
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

  /** Removes the first `size` held bytes and returns them. */
  take(size: number): Buffer {
    const taken = this.#held.subarray(0, size);
    this.#held = this.#held.subarray(size);
    return taken;
  }

  /** Puts back unused bytes of the last pull. No bytes may be held. */
  giveBack(bytes: Buffer): void {
    this.#held = bytes;
    this.#isOwned = false;
  }

  /** Pulls the remaining bytes, the held ones first. */
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

  /** Copies the held bytes before the next pull can overwrite them. */
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

/** Concatenates two buffers, in the room after the first if it has some. Appending piece by piece stays linear. */
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

/** Memory allocated by `appended`. No other code writes to it. */
const hasRoom = new WeakSet<ArrayBufferLike>();

/** A pull of bytes in memory. */
export function pullOf(bytes: Buffer): Pull {
  let left: Buffer | null = bytes.length === 0 ? null : bytes;
  return () => {
    const next = left;
    left = null;
    return next;
  };
}
