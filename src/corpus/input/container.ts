import type { ByteReader } from "./bytes.ts";
import type { RandomBytes } from "./disk-file.ts";

/** A file that is open. */
export type OpenMember = {
  readonly reader: ByteReader;
  /** The same bytes, where they can be read at any place. */
  readonly random: RandomBytes | null;
  readonly close: () => void | Promise<void>;
};

/** A file in a folder or an archive. */
export type Member = {
  /** Its path from the root of the folder or archive, as it is there: it is shown only through `safeName`. */
  readonly path: string;
  /** Opens it. Throws `Unread` for what is not read. */
  readonly open: () => OpenMember;
};

/** A folder or an archive: its files, once, in order. */
export type Container = {
  /** The next file, null at the end. What is left of the one before is passed over. Throws `Damaged`. */
  readonly next: () => Member | null | Promise<Member | null>;
  readonly close: () => void | Promise<void>;
};

/** A file that is in a folder or an archive and is not read. */
export function unreadMember(path: string, error: Error): Member {
  return {
    path,
    open() {
      throw error;
    },
  };
}

/** A file of an archive whose bytes come through `reader`. */
export function streamedMember(path: string, reader: ByteReader, close: () => void = () => undefined): Member {
  return { path, open: () => ({ reader, random: null, close }) };
}
