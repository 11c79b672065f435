import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";

export type Place = Pick<Config, "dataDir" | "secretFile" | "isSecretInDataDir" | "isSecretCredential">;

export const corporaFolder = "corpora";
export const serviceLock = "service.lock";
/** Holds what a restore has not finished. */
export const unfinishedRestore = "restore.unfinished";
/** See `temporaryDirOf`. */
export const temporaryFolder = "tmp";

/** Holds homes of programs, the unpacked database library, and notes of backups. */
export function temporaryDirOf({ dataDir }: Pick<Place, "dataDir">): string {
  return join(dataDir, temporaryFolder);
}

/** See `OpenStore`. */
export function headFileOf({ dataDir, secretFile, isSecretCredential }: Place): string {
  return join(isSecretCredential ? dataDir : dirname(secretFile), "audit.head");
}
