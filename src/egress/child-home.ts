import { existsSync, readdirSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type FolderLock, lockFolder } from "./folder-lock.ts";

/** A private folder for one run of a program. */
export type ChildHome = { readonly path: string; readonly remove: () => Promise<void> };

const prefix = "xpose-child-";

/** Creates a home below `folder`. It is locked while in use, so that the home of a killed process can be recognised. */
export async function makeChildHome(folder: string): Promise<ChildHome> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (;;) {
    const path = await mkdtemp(join(folder, prefix));
    const lock = lockIfThere(path);
    // Another process has already swept it.
    if (lock === null) continue;
    return {
      path,
      async remove() {
        await rm(path, { recursive: true, force: true });
        lock.release();
      },
    };
  }
}

/** Homes left by killed processes. */
export function leftChildHomes(folder: string): string[] {
  return useUnlocked(folder, () => undefined);
}

/** Removes the homes of killed processes; returns them. */
export function sweepChildHomes(folder: string): string[] {
  return useUnlocked(folder, (path) => rmSync(path, { recursive: true, force: true }));
}

function useUnlocked(folder: string, use: (path: string) => void): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(folder, name))
    .filter((path) => {
      const lock = lockIfThere(path);
      if (lock === null) return false;
      use(path);
      lock.release();
      return true;
    });
}

function lockIfThere(path: string): FolderLock | null {
  try {
    const lock = lockFolder(path, "exclusive");
    if (lock === null || existsSync(path)) return lock;
    lock.release();
    return null;
  } catch (error) {
    if (existsSync(path)) throw error;
    return null;
  }
}
