import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { CorpusError } from "./error.ts";

/** A regular file below a folder; `name` is its path from there. */
export type FolderFile = { readonly name: string; readonly path: string; readonly size: number };

/** More files than this are refused: their names are held in memory and stored. */
export const maxEntryCount = 100_000;
/** Deeper ones too. Trees of breach files have four levels. */
const maxDepth = 32;

/**
 * All regular files below a folder, by name in the order of code units. Links and special files are counted and not
 * read, so that no loop and no device is met. Throws `CorpusError` `refused` for too many files.
 */
export async function listFolder(root: string): Promise<{ files: FolderFile[]; leftOutCount: number }> {
  const files: FolderFile[] = [];
  let leftOutCount = 0;
  async function visit(folder: string, prefix: string, depth: number): Promise<void> {
    if (depth > maxDepth) throw new CorpusError("refused", `the folder is nested more than ${maxDepth} levels deep`);
    for (const name of (await readdir(folder)).sort()) {
      const path = join(folder, name);
      const found = await lstat(path);
      if (found.isDirectory()) await visit(path, `${prefix}${name}/`, depth + 1);
      else if (found.isFile()) files.push({ name: `${prefix}${name}`, path, size: found.size });
      else leftOutCount++;
      if (files.length > maxEntryCount) {
        throw new CorpusError("refused", `the folder holds more than ${maxEntryCount} files`);
      }
    }
  }
  try {
    await visit(root, "", 0);
  } catch (error) {
    if (error instanceof CorpusError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new CorpusError("refused", `the folder cannot be read (${code})`, { cause: error });
  }
  return { files, leftOutCount };
}
