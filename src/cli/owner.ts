import { dlopen } from "bun:ffi";
import { statSync } from "node:fs";
import { LibraryError } from "../data-directory/error.ts";
import { forbidsExec } from "../data-directory/exec-mount.ts";
import type { Place } from "../data-directory/layout.ts";
import { holdSecret } from "../data-directory/secret.ts";
import { ownUser } from "../own-user.ts";
import { CommandError, exitCodes } from "./exit.ts";

type User = { readonly uid: number; readonly gid: number };

/** Runs synchronous work as root. */
export type AsRoot = <Result>(work: () => Result) => Result;

/**
 * When run as root, becomes the owner of the data directory before anything in it is opened: the service could not
 * write a file that root creates there. Reads the server secret first, which may be for root only. Use the returned place
 * from then on.
 */
export function becomeOwner<Given extends Place>(place: Given): Given {
  const owner = ownerInsteadOfRoot(place.dataDir);
  if (owner === null) return place;
  const held = prepared(place);
  become(owner, place.dataDir, () => {
    process.setgid?.(owner.gid);
    process.setuid?.(owner.uid);
  });
  return held;
}

/**
 * Becomes the owner of the data directory, as `becomeOwner` does, for a command that writes a file of root at its end:
 * root stays the saved user (setresuid(2)). Programs that this process starts cannot return to root. Null when there is
 * no other owner.
 */
export function becomeOwnerForNow<Given extends Place>(place: Given): { place: Given; asRoot: AsRoot } | null {
  const owner = ownerInsteadOfRoot(place.dataDir);
  if (owner === null) return null;
  const { uid, gid } = owner;
  const held = prepared(place);
  become(owner, place.dataDir, () => {
    const { symbols } = dlopen("libc.so.6", {
      setresuid: { args: ["u32", "u32", "u32"], returns: "i32" },
      setresgid: { args: ["u32", "u32", "u32"], returns: "i32" },
    });
    if (symbols.setresgid(gid, gid, 0) !== 0 || symbols.setresuid(uid, uid, 0) !== 0) throw new Error("refused");
  });
  return {
    place: held,
    asRoot(work) {
      process.seteuid?.(0);
      process.setegid?.(0);
      try {
        return work();
      } finally {
        process.setegid?.(gid);
        process.seteuid?.(uid);
      }
    },
  };
}

/**
 * Reads what only root may read. Where the database library cannot be loaded, the program starts again with another
 * folder for it, and must still be root then. The library itself is never loaded as root: others can write there.
 */
function prepared<Given extends Place>(place: Given): Given {
  const { BUN_TMPDIR: given = "", TMPDIR: usual = "" } = process.env;
  if (given === "" && forbidsExec(usual === "" ? "/tmp" : usual)) throw new LibraryError(place.dataDir, {});
  return holdSecret(place);
}

function ownerInsteadOfRoot(dataDir: string): User | null {
  if (process.geteuid?.() !== 0) return null;
  const owner = statSync(dataDir, { throwIfNoEntry: false });
  return owner === undefined || owner.uid === 0 ? null : owner;
}

function become({ uid, gid }: User, dataDir: string, change: () => void): void {
  const refused = () =>
    new CommandError(exitCodes.failed, `${dataDir} belongs to another user than ${ownUser()}; run as user ${uid}`);
  try {
    process.setgroups?.([gid]);
    change();
  } catch {
    throw refused();
  }
  if (process.geteuid?.() !== uid) throw refused();
}

/** For a command that writes its evidence to a file of the caller with `--output`; see `becomeOwnerForNow`. */
export function becomeOwnerFor<Given extends Place>(place: Given, output: string | undefined) {
  const changed = output === undefined ? null : becomeOwnerForNow(place);
  return { place: changed?.place ?? place, asRoot: changed?.asRoot ?? null };
}
