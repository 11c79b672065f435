import { Command, CommanderError } from "commander";
import type { LibraryError } from "../data-directory/error.ts";
import { version } from "../version.ts";
import type { Output } from "./output.ts";

/** Runs the command line and returns its exit code. `args` are the arguments after the program's name. */
export async function runProgram(args: readonly string[], output: Output): Promise<number> {
  const program = new Command("xpose")
    .description("What does the internet expose about an email address? Evidence for SIEM and SOAR, never a verdict.")
    .version(version)
    .option("--config <file>", "configuration file; default $XPOSE_CONFIG or /etc/xpose/xpose.toml")
    .option("--data-dir <dir>", "data directory; default /var/lib/xpose")
    .option("--json", "print one JSON document")
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", "\nExample:\n  xpose init --data-dir ./data && xpose serve --data-dir ./data");
  for (const load of wantedCommands(args)) program.addCommand(await load(output));
  prepare(program, output);
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    return await exitCodeOf(error, args, output);
  }
}

type LoadCommand = (output: Output) => Promise<Command>;

/** All commands by name, in the order of the help. Each entry loads the modules of its command. */
const commands: Readonly<Record<string, LoadCommand>> = {
  init: async (output) => (await import("./commands/init.ts")).initCommand(output),
  serve: async (output) => (await import("./commands/serve.ts")).serveCommand(output),
  config: async (output) => (await import("./commands/config.ts")).configCommand(output),
  keys: async (output) => (await import("./commands/keys.ts")).keysCommand(output),
  workspaces: async (output) => (await import("./commands/workspaces.ts")).workspacesCommand(output),
  operators: async (output) => (await import("./commands/operators.ts")).operatorsCommand(output),
  corpus: async (output) => (await import("./commands/corpus.ts")).corpusCommand(output),
  enrich: async (output) => (await import("./commands/enrich.ts")).enrichCommand(output),
  lookup: async (output) => (await import("./commands/lookup.ts")).lookupCommand(output),
  export: async (output) => (await import("./commands/export.ts")).exportCommand(output),
  watch: async (output) => (await import("./commands/watch.ts")).watchCommand(output),
  events: async (output) => (await import("./commands/events.ts")).eventsCommand(output),
  webhooks: async (output) => (await import("./commands/webhooks.ts")).webhooksCommand(output),
  connector: async (output) => (await import("./commands/connector.ts")).connectorCommand(output),
  connectors: async (output) => (await import("./commands/connectors.ts")).connectorsCommand(output),
  sources: async (output) => (await import("./commands/sources.ts")).sourcesCommand(output),
  audit: async (output) => (await import("./commands/audit.ts")).auditCommand(output),
  backup: async (output) => (await import("./commands/backup.ts")).backupCommand(output),
  restore: async (output) => (await import("./commands/restore.ts")).restoreCommand(output),
  doctor: async (output) => (await import("./commands/doctor.ts")).doctorCommand(output),
  openapi: async (output) => (await import("./commands/openapi.ts")).openapiCommand(output),
  version: async (output) => (await import("./commands/version.ts")).versionCommand(output),
  completion: async (output) => (await import("./commands/completion.ts")).completionCommand(output),
};

/** Commands that describe all other commands. */
const overviews = ["help", "completion"];

/**
 * Loads only the commands that occur among the arguments: loading the others takes longer than everything that `serve`
 * does before its first answer. Loads all commands when no argument is a command, for the help and for suggestions.
 */
function wantedCommands(args: readonly string[]): LoadCommand[] {
  const named = Object.entries(commands).filter(([name]) => args.includes(name));
  const wantsAll = named.length === 0 || args.some((arg) => overviews.includes(arg));
  return wantsAll ? Object.values(commands) : named.map(([, load]) => load);
}

async function exitCodeOf(error: unknown, args: readonly string[], output: Output): Promise<number> {
  const { exitCodes, explain, PlatformExit } = await import("./exit.ts");
  if (error instanceof PlatformExit) return error.exitCode;
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  const { LibraryError } = await import("../data-directory/error.ts");
  if (error instanceof LibraryError) await restartWith(error, args);
  const { exitCode, message } = explain(error);
  output.err(`error: ${message}\n`);
  return exitCode;
}

/** Restarts the program with another folder for unpacked libraries (execve). Returns when this was already tried. */
async function restartWith(fault: LibraryError, args: readonly string[]): Promise<void> {
  const { takeEnvironment } = await import("../config/environment.ts");
  const env = takeEnvironment();
  if ((env["BUN_TMPDIR"] ?? "") !== "") return;
  const { temporaryDir } = fault;
  fault.prepare();
  process.execve?.(process.execPath, [process.execPath, ...args], { ...env, BUN_TMPDIR: temporaryDir });
}

/** Makes usage errors exceptions instead of process exits, for this command and its subcommands. */
function prepare(command: Command, output: Output): void {
  command
    .exitOverride()
    .showHelpAfterError("(add --help for usage)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: output.out, writeErr: output.err });
  for (const child of command.commands) prepare(child, output);
}
