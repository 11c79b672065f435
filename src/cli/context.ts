import { statSync, writeSync } from "node:fs";
import { userInfo } from "node:os";
import type { Command } from "commander";
import { headProblem, keepHead } from "../access/audit-head.ts";
import { type Config, loadConfig } from "../config/config.ts";
import { takeEnvironment } from "../config/environment.ts";
import { type OpenStore, openStore } from "../data-directory/data-directory.ts";
import { type AuditHead, type Author, parseHead } from "../domain/audit.ts";
import { diskFault, diskFullText } from "../domain/disk-fault.ts";
import { AppError } from "../domain/error.ts";
import { entropy } from "../entropy.ts";
import { CommandError, exitCodes } from "./exit.ts";
import type { Output } from "./output.ts";

/** Options of every command. */
export type GlobalOptions = { dataDir?: string; config?: string; json?: boolean };

/** The command line as the author of a change, at the present time. */
export function commandAuthor(): Author {
  return { at: entropy.now(), actor: "cli", ip: null, outcome: "ok", correlationId: null };
}

/**
 * Reads the configuration that a command uses. Warnings go to the standard error. Takes the environment: afterwards the
 * proxy variables are missing from the process, see `takeEnvironment`. Throws `ConfigError`.
 */
export function readConfig(
  command: Command,
  output: Output,
  needs: { sourceSecrets: boolean; listen?: string } = { sourceSecrets: false },
): Config {
  const { dataDir, config: file } = command.optsWithGlobals<GlobalOptions>();
  const flags = {
    ...(file === undefined ? {} : { config: file }),
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(needs.listen === undefined ? {} : { listen: needs.listen }),
  };
  const { config, warnings } = loadConfig({
    flags,
    env: takeEnvironment(),
    needs: { sourceSecrets: needs.sourceSecrets },
  });
  for (const warning of warnings) output.err(`warning: ${warning}\n`);
  return config;
}

/**
 * Opens the data directory, runs `work` and closes the data directory. A process of root first becomes the owner of the
 * directory, and stays this user, see `becomeOwner`. After `work` it saves the head of the audit trail, so that a removal
 * of the events of this command is noticed.
 */
export async function withStore<Result>(config: Config, work: (open: OpenStore) => Promise<Result>): Promise<Result> {
  becomeOwner(config.dataDir);
  const open = openStore(config, "command");
  try {
    const result = await work(open);
    await keepAuditHead(open);
    return result;
  } catch (error) {
    throw namingDisk(config.dataDir, error);
  } finally {
    open.store.close();
  }
}

/** Adds place and reason to an error of the database. API clients learn only that the database is unavailable. */
function namingDisk(dataDir: string, error: unknown): unknown {
  if (error instanceof AppError && error.code === "storage_full") {
    return new CommandError(exitCodes.failed, diskFullText(dataDir));
  }
  const isUnavailable = error instanceof AppError && error.code === "unavailable";
  const reason = isUnavailable ? diskFault(error.cause) : isOfDatabase(error) ? diskFault(error) : null;
  if (reason === null) return error;
  return new CommandError(exitCodes.failed, `the database in ${dataDir} cannot be used: ${reason}`);
}

/** Errors of files name their file themselves. */
function isOfDatabase(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_");
}

/**
 * Saves the head of the audit trail. A failure is only a warning: the work of the command is already done, and with the
 * secret in a read-only folder no command could ever succeed.
 */
export async function keepAuditHead(
  { store, headFile }: Pick<OpenStore, "store" | "headFile">,
  keep: typeof keepHead = keepHead,
): Promise<void> {
  const problem = headProblem(await keep(store, headFile));
  if (problem !== null) {
    writeSync(
      2,
      `warning: the head of the audit trail is not kept in ${headFile}: ${problem}; see xpose audit verify\n`,
    );
  }
}

/** Parses a head in the form of the log. Throws `CommandError` for any other text. */
export function headFrom(text: string): AuditHead {
  const head = parseHead(text);
  if (head !== null) return head;
  throw new CommandError(exitCodes.usage, "--head must be a row number, a colon and 64 hex digits, as in the log");
}

/** Aborts on SIGINT or SIGTERM, so that the command can clean up. */
export function abortOnSignal(): AbortSignal {
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => abort.abort(new Error("interrupted")));
  return abort.signal;
}

/**
 * When run as root, becomes the owner of the data directory before anything in it is opened: the service could not
 * write a file that root creates there.
 */
export function becomeOwner(dataDir: string): void {
  if (process.getuid?.() !== 0) return;
  const owner = statSync(dataDir, { throwIfNoEntry: false });
  if (owner === undefined || owner.uid === 0) return;
  try {
    process.setgroups?.([owner.gid]);
    process.setgid?.(owner.gid);
    process.setuid?.(owner.uid);
  } catch {
    throw new CommandError(exitCodes.failed, `${dataDir} belongs to another user; run as ${nameOf(owner.uid)}`);
  }
  if (process.getuid?.() !== owner.uid) {
    throw new CommandError(exitCodes.failed, `${dataDir} belongs to another user; run as ${nameOf(owner.uid)}`);
  }
}

function nameOf(uid: number): string {
  const { username, uid: ownUid } = userInfo();
  return uid === ownUid ? username : `user ${uid}`;
}
