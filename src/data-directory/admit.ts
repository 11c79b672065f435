import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DerivedKeys, deriveKeys } from "../domain/keyed-hash.ts";
import type { Lock } from "../store/sqlite/lock.ts";
import { type FoundDatabase, SqliteStore } from "../store/sqlite/store.ts";
import { DataDirError } from "./error.ts";
import { corporaFolder, type Place, temporaryFolder, unfinishedRestore } from "./layout.ts";
import { lockService } from "./locks.ts";
import { readSecret, secretCheck } from "./secret.ts";

/**
 * Returns `dataDir` when it does not exist or is empty, apart from `lost+found` and the remains of a killed restore.
 * Throws `DataDirError` `refused` otherwise.
 */
export function checkedUnused(dataDir: string, command: "init" | "restore"): string {
  const found = statSync(dataDir, { throwIfNoEntry: false });
  if (found?.isDirectory() === false) throw new DataDirError("refused", `${dataDir} exists and is not a directory`);
  const names = found === undefined ? [] : readdirSync(dataDir);
  const ignored = ["lost+found", ...(command === "restore" ? [unfinishedRestore] : [])];
  if (names.every((name) => ignored.includes(name) || isUnpackedLibrary(dataDir, name))) return dataDir;
  if (names.includes(unfinishedRestore) && SqliteStore.inspect(dataDir).state === "absent") {
    throw new DataDirError("refused", `${dataDir} is half restored; empty it and run xpose restore again`);
  }
  const want = `xpose ${command} needs an empty or a new directory`;
  throw new DataDirError("refused", `${dataDir} is not empty; ${want}`);
}

/**
 * Checks that a data directory may be opened for `role`, and returns its keys. Reads the file of the secret. Throws
 * `DataDirError` with the problem and the remedy.
 *
 * For the service it does more, after all checks: it takes the locks that keep a second service out and adds them to
 * `locks`, and it deletes the folder of a restore that was killed after the data directory was complete. The caller
 * releases the locks when the start fails.
 */
export function admit(
  config: Place,
  role: "service" | "command" | "backup",
  { state, secretCheck: expected }: FoundDatabase,
  locks: Lock[] = [],
): DerivedKeys {
  const { dataDir } = config;
  if (state === "absent" && existsSync(join(dataDir, unfinishedRestore))) {
    throw new DataDirError("refused", `${dataDir} is half restored; empty it and run xpose restore again`);
  }
  if (state === "absent" && !isBegun(dataDir)) {
    throw new DataDirError("uninitialised", `${dataDir} is not initialised; run xpose init --data-dir ${dataDir}`);
  }
  if (state === "absent" || state === "unfinished") {
    throw new DataDirError("refused", `${dataDir} is half initialised; empty it and run xpose init again`);
  }
  if (state === "newer") {
    throw new DataDirError("refused", `${dataDir} was written by a newer version of xpose; run that version`);
  }
  if (state === "older" && role === "command") {
    throw new DataDirError(
      "refused",
      `${dataDir} was written by an older version; start xpose serve once to upgrade it (xpose backup --older copies it as it is)`,
    );
  }
  const keys = deriveKeys(readSecret(config));
  if (secretCheck(keys) !== expected) {
    throw new DataDirError("refused", `the secret in ${config.secretFile} does not belong to ${dataDir}`);
  }
  if (role === "service") locks.push(...lockService(dataDir));
  // Left by a restore that was killed at its very end, when the data directory was complete.
  if (role === "service") rmSync(join(dataDir, unfinishedRestore), { recursive: true, force: true });
  return keys;
}

/** True for the temporary folder that holds only the database library, unpacked before the set-up. */
function isUnpackedLibrary(dataDir: string, name: string): boolean {
  return name === temporaryFolder && readdirSync(join(dataDir, name)).every((file) => file.startsWith(".bun-"));
}

/** True when an earlier set-up has left files of xpose. */
function isBegun(dataDir: string): boolean {
  return ["secret.key", corporaFolder].some((name) => existsSync(join(dataDir, name)));
}
