import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";

export type Place = Pick<Config, "dataDir" | "secretFile" | "isSecretInDataDir" | "isSecretCredential">;

export const corporaFolder = "corpora";
export const serviceLock = "service.lock";
/** Folder of an unfinished restore. */
export const unfinishedRestore = "restore.unfinished";
/** See `temporaryDirOf`. */
export const temporaryFolder = "tmp";

/** The folder for home directories of programs, the unpacked database library, and notes of backups. */
export function temporaryDirOf({ dataDir }: Pick<Place, "dataDir">): string {
  return join(dataDir, temporaryFolder);
}

/** See `OpenStore.headFile`. */
export function headFileOf({ dataDir, secretFile, isSecretCredential }: Place): string {
  return join(isSecretCredential ? dataDir : dirname(secretFile), "audit.head");
}
