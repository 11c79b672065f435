import { accessSync, chmodSync, constants, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DerivedKeys, deriveKeys } from "../domain/keyed-hash.ts";
import type { Store } from "../store/port/store.ts";
import type { Lock } from "../store/sqlite/lock.ts";
import { currentVersion } from "../store/sqlite/migrate.ts";
import { openReserve, type Reserve } from "../store/sqlite/reserve.ts";
import { SqliteStore } from "../store/sqlite/store.ts";
import { admit, checkedUnused } from "./admit.ts";
import { reaching } from "./error.ts";
import { corporaFolder, headFileOf, type Place } from "./layout.ts";
import { lockCorpora } from "./locks.ts";
import { readSecret, secretCheck } from "./secret.ts";

export type OpenStore = {
  readonly store: Store;
  readonly keys: DerivedKeys;
  readonly corporaDir: string;
  /** The file of the audit trail's kept head: beside the secret, unless the service manager passes the secret. */
  readonly headFile: string;
  /** Held shared by every import, and exclusively while orphaned files are deleted. */
  readonly lockCorpora: (mode: "exclusive" | "shared") => Lock | null;
  /** Reserved disk space. */
  readonly reserve: Reserve;
  /** The previous schema version, when opening upgraded the database; else null. */
  readonly upgradedFrom: number | null;
};

/**
 * Creates a data directory: the server secret (unless its file exists), the database and the folder of the corpora.
 * Throws `DataDirError` `refused` when the directory is not empty, `inaccessible` when it cannot be written.
 */
export function createDataDir(config: Place, randomBytes: (count: number) => Uint8Array): OpenStore {
  const { dataDir, secretFile } = config;
  return reaching(dataDir, () => {
    loadLibrary();
    mkdirSync(checkedUnused(dataDir, "init"), { recursive: true, mode: 0o700 });
    chmodSync(dataDir, 0o700);
    if (!existsSync(secretFile)) {
      writeFileSync(secretFile, `${Buffer.from(randomBytes(32)).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
    }
    const keys = deriveKeys(readSecret(config));
    mkdirSync(join(dataDir, corporaFolder), { mode: 0o700 });
    const reserve = openReserve(dataDir);
    reserve.tend();
    const store = SqliteStore.create(dataDir, secretCheck(keys), keys.audit, reserve);
    return { ...placesOf(config), store, keys, reserve, upgradedFrom: null };
  });
}

/**
 * Opens an initialised data directory. Throws `DataDirError` with the problem and the remedy. The service takes a lock
 * that keeps a second service out until its process ends. Only the service migrates an older directory.
 */
export function openStore(config: Place, role: "service" | "command"): OpenStore {
  const { dataDir } = config;
  return reaching(dataDir, () => {
    if (existsSync(dataDir)) accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    const reserve = openReserve(dataDir);
    const opened = reserve.spare(() => openLocked(config, role, reserve));
    return { ...placesOf(config), ...opened, reserve };
  });
}

/** Opens the database. Releases the locks of the service when that fails. */
function openLocked(config: Place, role: "service" | "command", reserve: Reserve) {
  const locks: Lock[] = [];
  try {
    return SqliteStore.open(config.dataDir, (found) => admit(config, role, found, locks), { reserve });
  } catch (error) {
    for (const lock of locks) lock.release();
    throw error;
  }
}

/** True when the disk of a data directory has no space for even a small change. */
export function isDiskFull(dataDir: string): boolean {
  return openReserve(dataDir).isFull();
}

/** The schema version that this program writes. It also reads older versions. */
export const schemaVersion = currentVersion;

/** Uses the database library once, because it reports only at its first use that the system forbids to run it. */
export function loadLibrary(): void {
  SqliteStore.inMemory(new Uint8Array(32)).close();
}

export function placesOf(place: Place): Pick<OpenStore, "corporaDir" | "headFile" | "lockCorpora"> {
  const { dataDir } = place;
  return {
    corporaDir: join(dataDir, corporaFolder),
    headFile: headFileOf(place),
    lockCorpora: (mode) => lockCorpora(dataDir, mode),
  };
}
