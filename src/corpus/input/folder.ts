import { lstatSync } from "node:fs";
import { CorpusError } from "../error.ts";
import { type Container, type Member, unreadMember } from "./container.ts";
import { openDiskFile } from "./disk-file.ts";
import { diskName } from "./entry-name.ts";
import { bytesOf, type FolderEntry, readFolder } from "./read-folder.ts";
import { Unread } from "./unread.ts";

/** Deeper folders are left out. Breach files usually have four levels. */
const maxDepth = 64;
const slash = Buffer.from("/");

type OnOpen = (path: Buffer, size: number) => () => void;

/** A level of the tree: a folder on the current path and its remaining entries. */
type Level = { readonly path: Buffer; readonly prefix: Buffer; readonly entries: Iterator<FolderEntry> };

/**
 * Reads all regular files below a folder, folder by folder, in byte order of their names. Links, special files and
 * unreadable folders become members that cannot be opened, so no loop is followed and no device opened. `onOpen` is
 * called with the path (as bytes) and the size of each opened file; it returns the function to call when the file is
 * closed.
 */
export function openFolder(root: string, onOpen: OnOpen): Container {
  const levels: Level[] = [levelOf(Buffer.from(root), Buffer.alloc(0))];

  function next(): Member | null {
    for (;;) {
      const level = levels.at(-1);
      if (level === undefined) return null;
      let entry: IteratorResult<FolderEntry>;
      try {
        entry = level.entries.next();
      } catch (error) {
        if (!(error instanceof Unread)) throw error;
        levels.pop();
        if (levels.length > 0) return unreadMember(diskName(level.prefix), error);
        throw new CorpusError("refused", `the folder is ${error.reason}`, { cause: error });
      }
      if (entry.done === true) {
        levels.pop();
        continue;
      }
      const { name, kind } = entry.value;
      const bytes = bytesOf(name);
      const path = Buffer.concat([level.path, slash, bytes]);
      const relative = Buffer.concat([level.prefix, bytes]);
      if (kind === "file") return fileMember(path, relative, onOpen);
      if (kind !== "folder") return unreadMember(diskName(relative), new Unread(`a ${kind}`));
      if (levels.length > maxDepth) {
        return unreadMember(diskName(relative), new Unread(`a folder more than ${maxDepth} levels deep`));
      }
      levels.push(levelOf(path, Buffer.concat([relative, slash])));
    }
  }

  return { next, close: () => undefined };
}

function levelOf(path: Buffer, prefix: Buffer): Level {
  return { path, prefix, entries: readFolder(path) };
}

function fileMember(path: Buffer, relative: Buffer, onOpen: OnOpen): Member {
  return {
    path: diskName(relative),
    open() {
      const file = openDiskFile(path, false);
      const onClose = onOpen(relative, file.size);
      return {
        reader: file.reader,
        random: file,
        close() {
          onClose();
          return file.close();
        },
      };
    },
  };
}

/**
 * The total size of all regular files below a folder; null with more than `maxCount` files or when a folder cannot be
 * read.
 */
export function folderSize(root: string, maxCount: number): number | null {
  let count = 0;
  let size = 0;
  const open = [Buffer.from(root)];
  try {
    for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
      for (const { name, kind } of readFolder(folder)) {
        if (++count > maxCount) return null;
        const path = Buffer.concat([folder, slash, bytesOf(name)]);
        if (kind === "folder") open.push(path);
        else if (kind === "file") size += lstatSync(path).size;
      }
    }
    return size;
  } catch {
    return null;
  }
}
