import type { Pull } from "./bytes.ts";
import type { RandomBytes } from "./disk-file.ts";
import { Damaged } from "./unread.ts";

/** Text shrinks to a tenth, the same line over and over to a thousandth; more than this is made to do harm. */
const maxExpansion = 2000;
/** So much may come out of any input, however small it is. */
const freeExpansion = 1 << 30;

/** Counts and hashes what is read of an input. */
export class Meter {
  /** Of the bytes as they are on disk or come through the standard input. */
  readonly packed = new Bun.CryptoHasher("sha256");
  bytesRead = 0;
  #content = new Bun.CryptoHasher("sha256");
  #contentBefore: Bun.CryptoHasher | null = null;
  #unpackedSize = 0;

  count(bytes: Uint8Array): void {
    this.packed.update(bytes);
    this.bytesRead += bytes.length;
  }

  /** Of the bytes of all texts that were read. */
  contentSha256(): string {
    return this.#content.copy().digest("hex");
  }

  /** Bytes of a text, before they are decoded. */
  addContent(bytes: Uint8Array): void {
    this.#content.update(bytes);
  }

  /** A text is read ahead, which may be read by nobody in the end. */
  beginContent(): void {
    this.#contentBefore = this.#content;
    this.#content = this.#content.copy();
  }

  /** The text that was begun is over; what came of it does not count when it was not read. */
  endContent(isRead: boolean): void {
    if (!isRead && this.#contentBefore !== null) this.#content = this.#contentBefore;
    this.#contentBefore = null;
  }

  counted(pull: Pull): Pull {
    return tapped(pull, (chunk) => this.count(chunk));
  }

  /** A file of a folder is opened; returns what is called when it is closed. What was not read of it counts as read. */
  beginFile(path: Buffer, size: number): () => void {
    this.packed.update(path);
    this.packed.update(`\0${size}\0`);
    const before = this.bytesRead;
    return () => {
      this.bytesRead = before + size;
    };
  }

  /** The same bytes; what is read counts for the progress, the hash of an archive is made in one go when it has been read. */
  countedRandom(bytes: RandomBytes): RandomBytes {
    return {
      size: bytes.size,
      readAt: (offset, length) => {
        this.bytesRead += length;
        return bytes.readAt(offset, length);
      },
      range: (offset, length) =>
        tapped(bytes.range(offset, length), (chunk) => {
          this.bytesRead += chunk.length;
        }),
    };
  }

  /** Refuses what becomes out of all proportion larger than it is on disk, in however many layers. */
  limited(pull: Pull): Pull {
    return tapped(pull, (chunk) => {
      this.#unpackedSize += chunk.length;
      if (this.#unpackedSize > freeExpansion && this.#unpackedSize > this.bytesRead * maxExpansion) {
        throw new Damaged(`unpacked to more than ${maxExpansion} times its size`);
      }
    });
  }
}

function tapped(pull: Pull, onChunk: (chunk: Buffer) => void): Pull {
  const tap = (chunk: Buffer | null): Buffer | null => {
    if (chunk !== null) onChunk(chunk);
    return chunk;
  };
  return () => {
    const next = pull();
    return next instanceof Promise ? next.then(tap) : tap(next);
  };
}
