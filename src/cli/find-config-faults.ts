import { accessSync, constants, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  type ConfigRequest,
  checkServeSettings,
  type ExaminedConfig,
  examineConfig,
  refusedVariableFaults,
} from "../config/config.ts";
import { ConfigError, joinPath } from "../config/error.ts";
import { type Faults, openFaults } from "../config/faults.ts";
import { DataDirError } from "../data-directory/error.ts";
import type { Place } from "../data-directory/layout.ts";
import { readSecret } from "../data-directory/secret.ts";
import { ownUser } from "../own-user.ts";
import { findClientFaults } from "../service/open-clients.ts";
import { findTlsFaults } from "../service/tls.ts";
import { becomeOwner } from "./owner.ts";

export type FoundFaults = { readonly faults: readonly string[]; readonly warnings: readonly string[] };

/**
 * Finds all that keeps `xpose serve` from starting or reloading with a configuration: in the file, the environment, the
 * secrets, the certificates and the sources. Run by root, it becomes the owner of the data directory, who must be able to
 * read the files. Without `now` a certificate that has ended is no fault: the service takes it.
 */
export async function findConfigFaults(request: ConfigRequest, now: Date | null): Promise<FoundFaults> {
  const faults = openFaults();
  const examined = faults.attempt(() => examineConfig(request));
  if (examined === null) return { faults: messagesOf(faults), warnings: [] };
  for (const fault of [...examined.faults, ...refusedVariableFaults(request.env)]) faults.add(fault);
  const { server, outbound, sources } = examined.parts;
  if (server !== null) faults.attempt(() => checkServeSettings({ server }, {}));
  const place = placeOf(examined);
  if (place !== null) findSecretFault(place, faults);
  if (place !== null) faults.attempt(() => becomeOwner(place));
  findUnreadable(examined, faults);
  if (server !== null) findTlsFaults({ server }, faults, now);
  if (outbound !== null) await findClientFaults({ outbound, sources: sources ?? [] }, faults);
  return { faults: messagesOf(faults), warnings: examined.warnings };
}

function messagesOf({ list }: Faults): string[] {
  return list.map(({ message }) => message);
}

function placeOf({ parts }: ExaminedConfig): Place | null {
  const { dataDir, secretFile, isSecretInDataDir, isSecretCredential } = parts;
  if (dataDir === null || secretFile === null || isSecretInDataDir === null || isSecretCredential === null) return null;
  return { dataDir, secretFile, isSecretInDataDir, isSecretCredential };
}

/** A data directory that is not initialised has no secret yet, which is no fault of the configuration. */
function findSecretFault(place: Place, faults: Faults): void {
  const { dataDir, secretFile, isSecretInDataDir } = place;
  if (isSecretInDataDir && !existsSync(secretFile) && !existsSync(join(dataDir, "xpose.db"))) return;
  try {
    readSecret(place);
  } catch (error) {
    if (error instanceof ConfigError) faults.add(error);
    else if (error instanceof DataDirError) faults.add(new ConfigError("secret_file", error.message));
    else faults.add(new ConfigError("secret_file", secretFile, "a file that can be read"));
  }
}

/** The service reads these as the owner of the data directory; root can read everything. */
function findUnreadable({ file, tables }: ExaminedConfig, faults: Faults): void {
  const keys = tables.sources.map(
    ({ path, values }) => [joinPath(path, "api_key_file"), values["api_key_file"]] as const,
  );
  for (const [key, path] of [["configuration file", file] as const, ...keys]) {
    if (typeof path !== "string" || statSync(path, { throwIfNoEntry: false }) === undefined) continue;
    try {
      accessSync(path, constants.R_OK);
    } catch {
      faults.add(new ConfigError(key, `${JSON.stringify(path)} cannot be read by user ${ownUser()}`));
    }
  }
}
