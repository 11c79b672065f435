import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { BackupError } from "../backup/error.ts";
import { type DerivedKeys, deriveKeys } from "../domain/keyed-hash.ts";
import type { DatabaseStore } from "../store/port/database.ts";
import type { Store } from "../store/port/store.ts";
import { currentVersion } from "../store/sqlite/migrate.ts";
import { type FoundDatabase, SqliteStore } from "../store/sqlite/store.ts";
import { admit } from "./admit.ts";
import { loadLibrary, type OpenStore, placesOf } from "./data-directory.ts";
import { DataDirError, reaching } from "./error.ts";
import type { Place } from "./layout.ts";
import { readSecret, secretCheck, secretFrom } from "./secret.ts";

export type BackupPlace = Pick<OpenStore, "keys" | "corporaDir" | "headFile" | "lockCorpora"> & {
  readonly store: Pick<DatabaseStore, "backup">;
};

/** Opens an initialised data directory of any earlier version for copying, without upgrading. Throws `DataDirError`. */
export function openForBackup(config: Place): BackupPlace {
  const { dataDir } = config;
  return reaching(dataDir, () => {
    const keys = admit(config, "backup", SqliteStore.inspect(dataDir));
    return { ...placesOf(config), store: SqliteStore.copyFrom(dataDir), keys };
  });
}
/** Databases with an older schema have corpora in a form that can no longer be read; an upgrade drops them. */
const firstVersionWithSegments = 3;

/**
 * The keys for a data directory that is being restored. `secret` is the secret in the backup; when it is null, the
 * secret must be in the file of the configuration. Throws `DataDirError` `refused` when there is no secret, or when the
 * two secrets differ.
 */
export function restoredKeys(config: Place, secret: string | null): DerivedKeys {
  const { dataDir, secretFile, isSecretInDataDir } = config;
  return reaching(dataDir, () => {
    loadLibrary();
    if (secret === null && isSecretInDataDir) {
      const message = "the backup holds no secret, because it was outside the data directory; set secret_file to it";
      throw new DataDirError("refused", message);
    }
    const given = isSecretInDataDir || (secret !== null && !existsSync(secretFile)) ? null : readSecret(config);
    const held = secret === null ? given : secretFrom(secret);
    if (held === null) throw new DataDirError("refused", "the backup does not hold a secret of 64 hex digits");
    if (given !== null && !given.equals(held)) {
      throw new DataDirError("refused", `the secret in ${secretFile} differs from the secret of the backup`);
    }
    return deriveKeys(held);
  });
}

/**
 * Checks a copied database in full, upgrades it and opens it. Throws `BackupError` `failed` when the database is
 * damaged or belongs to another secret.
 */
export function openCopiedDatabase(folder: string, keys: DerivedKeys): Store {
  return reaching(folder, () => {
    checkCopy(folder);
    return SqliteStore.open(folder, admitCopy(keys), { isAlone: true }).store;
  });
}

/**
 * Checks a copied database in full and opens it for reading. A database of an older version is not changed: a second
 * copy is upgraded and opened instead. Throws like `openCopiedDatabase`, and `BackupError` `refused` for a version
 * whose corpora would be missing in the backup.
 */
export function inspectCopiedDatabase(folder: string, keys: DerivedKeys): { store: Store; version: number } {
  return reaching(folder, () => {
    checkCopy(folder);
    const version = SqliteStore.versionIn(folder);
    if (version < firstVersionWithSegments) {
      throw new BackupError("refused", "the data directory is too old to be backed up; start xpose serve once");
    }
    const readable = version === currentVersion ? folder : furtherCopy(folder);
    const { store } = SqliteStore.open(readable, admitCopy(keys), { isAlone: true, isTemporary: true });
    return { store, version };
  });
}

function checkCopy(folder: string): void {
  const fault = SqliteStore.faultIn(folder);
  if (fault !== null) throw new BackupError("failed", `the database is damaged: ${fault}`);
}

function admitCopy(keys: DerivedKeys): (found: FoundDatabase) => DerivedKeys {
  return ({ state, secretCheck: expected }) => {
    if ((state === "ready" || state === "older") && expected === secretCheck(keys)) return keys;
    throw new BackupError("failed", "the database belongs to another secret or version");
  };
}

function furtherCopy(folder: string): string {
  const further = join(folder, "upgraded");
  mkdirSync(further, { mode: 0o700 });
  SqliteStore.copyClosed(folder, further);
  return further;
}
