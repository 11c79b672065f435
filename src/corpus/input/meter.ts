import type { Pull } from "./bytes.ts";
import type { RandomBytes } from "./disk-file.ts";
import { Damaged } from "./unread.ts";

/** Text compresses to a tenth, one repeated line to a thousandth. A higher ratio is a decompression bomb. */
const maxExpansion = 2000;
/** Bytes that may come out of any input, however small. */
const freeExpansion = 1 << 30;

/** Counts and hashes the bytes read of an input. */
export class Meter {
  /** SHA-256 of the bytes as they are on disk or in the pipe. */
  readonly packed = new Bun.CryptoHasher("sha256");
  bytesRead = 0;
  #content = new Bun.CryptoHasher("sha256");
  #contentBefore: Bun.CryptoHasher | null = null;
  #unpackedSize = 0;

  count(bytes: Uint8Array): void {
    this.packed.update(bytes);
    this.bytesRead += bytes.length;
  }

  /** SHA-256 of the bytes of all texts that were read. */
  contentSha256(): string {
    return this.#content.copy().digest("hex");
  }

  /** Adds bytes of a text, before decoding. */
  addContent(bytes: Uint8Array): void {
    this.#content.update(bytes);
  }

  /** Marks the start of a text that is read ahead and may be left out in the end. */
  beginContent(): void {
    this.#contentBefore = this.#content;
    this.#content = this.#content.copy();
  }

  /** Ends the text. If it was not read, its bytes are taken back from the hash. */
  endContent(isRead: boolean): void {
    if (!isRead && this.#contentBefore !== null) this.#content = this.#contentBefore;
    this.#contentBefore = null;
  }

  counted(pull: Pull): Pull {
    return tapped(pull, (chunk) => this.count(chunk));
  }

  /** Begins a file of a folder; returns the function to call when it is closed. Its unread bytes then count as read. */
  beginFile(path: Buffer, size: number): () => void {
    this.packed.update(path);
    this.packed.update(`\0${size}\0`);
    const before = this.bytesRead;
    return () => {
      this.bytesRead = before + size;
    };
  }

  /** Counts reads for the progress only. The archive is hashed in one go when it has been read. */
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

  /** Throws when the unpacked data is out of proportion to the input, over all layers together. */
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
