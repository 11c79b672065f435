import { mkdirSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { environment } from "../config.ts";
import { version } from "../version.ts";
import { LibraryError } from "../wiring.ts";
import { auditCommand } from "./audit.ts";
import { backupCommand } from "./backup.ts";
import { completionCommand } from "./completion.ts";
import { corpusCommand } from "./corpus.ts";
import { doctorCommand } from "./doctor.ts";
import { enrichCommand } from "./enrich.ts";
import { type ExitCode, exitCodes, explain } from "./exit.ts";
import { initCommand } from "./init.ts";
import { keysCommand } from "./keys.ts";
import { openapiCommand } from "./openapi.ts";
import { operatorsCommand } from "./operators.ts";
import type { Output } from "./output.ts";
import { restoreCommand } from "./restore.ts";
import { serveCommand } from "./serve.ts";
import { sourcesCommand } from "./sources.ts";
import { versionCommand } from "./version.ts";
import { workspacesCommand } from "./workspaces.ts";

/** Runs the command line and returns its exit code. `args` are those after the program's name. */
export async function runProgram(args: readonly string[], output: Output): Promise<ExitCode> {
  const program = new Command("xpose")
    .description("What does the internet expose about an email address? Evidence for SIEM and SOAR, never a verdict.")
    .version(version)
    .option("--config <file>", "configuration file; default $XPOSE_CONFIG or /etc/xpose/xpose.toml")
    .option("--data-dir <dir>", "data directory; default /var/lib/xpose")
    .option("--json", "print one JSON document")
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", "\nExample:\n  xpose init --data-dir ./data && xpose serve --data-dir ./data");
  for (const command of [
    initCommand(output),
    serveCommand(output),
    keysCommand(output),
    workspacesCommand(output),
    operatorsCommand(output),
    corpusCommand(output),
    enrichCommand(output),
    sourcesCommand(output),
    auditCommand(output),
    backupCommand(output),
    restoreCommand(output),
    doctorCommand(output),
    openapiCommand(output),
    versionCommand(output),
    completionCommand(output),
  ]) {
    program.addCommand(command);
  }
  prepare(program, output);
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (error instanceof LibraryError) restartWith(error.temporaryDir, args);
    const { exitCode, message } = explain(error);
    output.err(`error: ${message}\n`);
    return exitCode;
  }
}

/** Starts the program anew in its place, with another folder to unpack to. Returns when that was tried before. */
function restartWith(temporaryDir: string, args: readonly string[]): void {
  const env = environment();
  if ((env["BUN_TMPDIR"] ?? "") !== "") return;
  mkdirSync(temporaryDir, { recursive: true, mode: 0o700 });
  process.execve?.(process.execPath, [process.execPath, ...args], { ...env, BUN_TMPDIR: temporaryDir });
}

/** Errors of usage become exceptions instead of ending the process, for every command below. */
function prepare(command: Command, output: Output): void {
  command
    .exitOverride()
    .showHelpAfterError("(add --help for usage)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: output.out, writeErr: output.err });
  for (const child of command.commands) prepare(child, output);
}
