import type { ByteReader } from "./bytes.ts";
import type { RandomBytes } from "./disk-file.ts";

/** An open file. */
export type OpenMember = {
  readonly reader: ByteReader;
  /** The same bytes with random access; null for a stream. */
  readonly random: RandomBytes | null;
  readonly close: () => void | Promise<void>;
};

/** A file in a folder or an archive. */
export type Member = {
  /** Its path from the root of the folder or archive, unchanged. It is shown only through `safeName`. */
  readonly path: string;
  /** Opens the file. Throws `Unread` when it cannot be read. */
  readonly open: () => OpenMember;
};

/** A folder or an archive: its files in order. It can be read once. */
export type Container = {
  /** The next file; null at the end. Skips the rest of the previous file. Throws `Damaged`. */
  readonly next: () => Member | null | Promise<Member | null>;
  readonly close: () => void | Promise<void>;
};

/** A file of a folder or an archive that cannot be read: opening it throws `error`. */
export function unreadMember(path: string, error: Error): Member {
  return {
    path,
    open() {
      throw error;
    },
  };
}

/** A file of an archive, read through `reader`. */
export function streamedMember(path: string, reader: ByteReader, close: () => void = () => undefined): Member {
  return { path, open: () => ({ reader, random: null, close }) };
}
