import { createReadStream, existsSync } from "node:fs";
import { Command, Option } from "commander";
import { getWorkspace } from "../../access/workspace.ts";
import { takeEnvironment } from "../../config/environment.ts";
import { ConnectorError } from "../../connectors/error.ts";
import { settingsFrom } from "../../connectors/settings.ts";
import { parseDuration } from "../../domain/duration.ts";
import { entropy } from "../../entropy.ts";
import { openLog } from "../../service/log.ts";
import { openSources } from "../../service/open-sources.ts";
import { type GlobalOptions, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { type LookupResult, type LookupRow, type LookupRows, type RowOptions, readRows } from "../lookup-rows.ts";
import { type Lookup, lookUpInService } from "../lookup-service.ts";
import type { Output } from "../output.ts";
import { drawProgress } from "../progress.ts";
import { standardInput } from "../standard-input.ts";

type LookupOptions = GlobalOptions &
  RowOptions & { cachedOnly?: boolean; wait: string; url?: string; batch: string; workspace: string };

export function lookupCommand(output: Output): Command {
  return new Command("lookup")
    .summary("look up the addresses of a file")
    .description(
      "Reads rows and writes the same rows with what is known about the address of each: CSV with a header, JSON Lines, or an address a line. Exit code 1 if any look-up is not completed.",
    )
    .argument("[file]", "the rows; - or nothing is the standard input", "-")
    .option("--column <name>", "the column or member that holds the address")
    .addOption(new Option("--format <format>", "how the rows are written").choices(["csv", "jsonl"]))
    .option("--cached-only", "start no scan")
    .option("--wait <duration>", "how long the scans of a thousand rows are waited for", "60s")
    .option(
      "--url <url>",
      "ask the service there, with the key in $XPOSE_API_KEY, and not the data directory; default $XPOSE_URL",
    )
    .option(
      "--batch <count>",
      "addresses that are asked about at once, at most server.bulk_limit of the service",
      "1000",
    )
    .option("--workspace <id or name>", "in whose name, on the data directory", "default")
    .addHelpText("after", "\nExample:\n  xpose lookup users.csv --column mail > users-exposed.csv")
    .action(async (file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<LookupOptions>();
      const waitMs = parseDuration(options.wait, 0);
      if (waitMs === null) throw new CommandError(exitCodes.usage, "--wait wants a duration such as 90s, 5m or 1h");
      const batch = /^\d{1,6}$/.test(options.batch) ? Number(options.batch) : 0;
      if (batch < 1) throw new CommandError(exitCodes.usage, "--batch wants a whole number of at least 1");
      if (file !== "-" && !existsSync(file)) throw new CommandError(exitCodes.notFound, `there is no file ${file}`);
      const rows = await readRows(file === "-" ? standardInput() : createReadStream(file), options);
      const isCachedOnly = options.cachedOnly ?? false;
      const url = options.url ?? takeEnvironment()["XPOSE_URL"] ?? "";
      const lookAll = (lookUp: Lookup) => writeAll(rows, lookUp, batch, output);
      const hasFailed =
        url === ""
          ? await locally(command, output, options, isCachedOnly, lookAll)
          : await lookAll(lookUpInService(serviceSettings(url), { isCachedOnly, waitMs })).catch(asCommandError);
      if (hasFailed) throw new CommandError(exitCodes.failed, "not every look-up was completed; see xpose_status");
    });
}

/** The key is never part of a command line, which every user of the machine can read. */
function serviceSettings(url: string) {
  try {
    return settingsFrom(takeEnvironment(), { url });
  } catch (error) {
    if (error instanceof ConnectorError) throw new CommandError(exitCodes.usage, error.message);
    throw error;
  }
}

function asCommandError(error: unknown): never {
  if (error instanceof ConnectorError) throw new CommandError(exitCodes.failed, error.message);
  throw error;
}

async function locally(
  command: Command,
  output: Output,
  options: LookupOptions,
  isCachedOnly: boolean,
  lookAll: (lookUp: Lookup) => Promise<boolean>,
): Promise<boolean> {
  const config = readConfig(command, output, { sourceSecrets: true });
  return await withStore(config, async (open) => {
    const { lookUpLocally } = await import("../lookup-local.ts");
    const { log } = openLog(config.log, output.err);
    const sources = openSources(config, open, entropy.now);
    try {
      const workspace = await getWorkspace(options.workspace, open.store);
      const tools = { store: open.store, keys: open.keys, live: sources.live, log };
      return await lookAll(lookUpLocally(tools, { workspaceId: workspace.id, isCachedOnly }));
    } finally {
      await sources.close();
    }
  });
}

/** Writes every row with its result, in the order of the input, one batch in memory. True when a look-up is not completed. */
async function writeAll({ head, rows }: LookupRows, lookUp: Lookup, batch: number, output: Output): Promise<boolean> {
  const progress = output.isTerminal ? drawProgress(output) : null;
  let [count, hasFailed] = [0, false];
  if (head !== null) output.out(`${head}\n`);
  async function write(waiting: readonly LookupRow[]): Promise<void> {
    const asked = waiting.filter(({ address }) => address !== null && address !== "");
    const results = asked.length === 0 ? [] : await lookUp(asked.map(({ address }) => address));
    const byRow = new Map(asked.map((row, index) => [row, results[index]]));
    const lines = waiting.map((row) => {
      const result = byRow.get(row) ?? noAddress;
      hasFailed ||= result.status !== "completed";
      return `${row.write(result)}\n`;
    });
    output.out(lines.join(""));
    count += waiting.length;
    progress?.count(count);
  }
  let waiting: LookupRow[] = [];
  try {
    for await (const row of rows) {
      waiting.push(row);
      if (waiting.length < batch) continue;
      await write(waiting);
      waiting = [];
    }
    if (waiting.length > 0) await write(waiting);
  } finally {
    progress?.end();
  }
  return hasFailed;
}

const noAddress: LookupResult = {
  status: "invalid",
  total: null,
  high: null,
  medium: null,
  low: null,
  sourcesFailed: [],
  requestId: null,
};
