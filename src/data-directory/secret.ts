import { existsSync, readFileSync } from "node:fs";
import { ConfigError } from "../config/error.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import { DataDirError } from "./error.ts";
import type { Place } from "./layout.ts";

/** Reads the server secret: 32 bytes, stored as 64 hex digits. Throws `DataDirError` or `ConfigError`. */
export function readSecret({ secretFile, dataDir, isSecretInDataDir }: Place): Buffer {
  if (isSecretInDataDir && !existsSync(secretFile)) {
    throw new DataDirError("refused", `${secretFile} is missing; ${dataDir} cannot be read without its secret`);
  }
  const text = isSecretInDataDir ? readFileSync(secretFile, "utf8") : readGivenSecret(secretFile);
  const secret = secretFrom(text);
  if (secret !== null) return secret;
  if (!isSecretInDataDir)
    throw new ConfigError("secret_file", "got (hidden), want a file with a secret of 64 hex digits");
  throw new DataDirError("refused", `${secretFile} does not hold a secret of 64 hex digits`);
}

export function secretFrom(text: string): Buffer | null {
  return /^[0-9a-f]{64}$/i.test(text.trim()) ? Buffer.from(text.trim(), "hex") : null;
}

function readGivenSecret(secretFile: string): string {
  try {
    return readFileSync(secretFile, "utf8");
  } catch {
    throw new ConfigError("secret_file", secretFile, "a file that can be read");
  }
}

/** A hash stored in the database to detect a wrong secret, with which every key would be unknown. */
export function secretCheck(keys: DerivedKeys): string {
  return keyedHash(keys.check, "xpose data directory");
}
