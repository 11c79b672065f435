import { createReadStream, existsSync } from "node:fs";
import { Command } from "commander";
import { getWorkspace } from "../../access/workspace.ts";
import type { Config } from "../../config/config.ts";
import type { OpenStore } from "../../data-directory/data-directory.ts";
import { maxPerChange, parseIndicators, parseLabel } from "../../domain/watch.ts";
import type { Workspace } from "../../domain/workspace.ts";
import { entropy } from "../../entropy.ts";
import { openLog } from "../../service/log.ts";
import { openSources } from "../../service/open-sources.ts";
import { checkList } from "../../watch/corpus-rounds.ts";
import { openSealer } from "../../watch/seal.ts";
import { addToWatchList, listWatchList, removeFromWatchList } from "../../watch/watch-list.ts";
import type { WatchAdded, WatchCheckReport, WatchedBody, WatchList, WatchRemoved } from "../../wire/watch.ts";
import { abortOnSignal, commandAuthor, type GlobalOptions, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { readRows } from "../lookup-rows.ts";
import { type Output, printResult, table } from "../output.ts";
import { standardInput } from "../standard-input.ts";

type WatchOptions = GlobalOptions & { workspace: string; label?: string; column?: string };

/** Rows that are read from the store at once; the command prints all as one list. */
const pageLimit = 1000;

export function watchCommand(output: Output): Command {
  const watch = new Command("watch").description(
    "The watch list of a workspace: addresses that are checked all the time",
  );

  watch
    .command("add")
    .description("Puts addresses on the list.")
    .argument("<email...>", "the addresses")
    .option("--label <text>", "a label for them, at most 64 characters")
    .option("--workspace <id or name>", "whose list it is", "default")
    .addHelpText("after", "\nExample:\n  xpose watch add jane.doe@example.com --label staff")
    .action((emails: string[], _options: object, command: Command) =>
      onList(command, output, async (context) => {
        const added = await addAll(emails, context);
        printAdded(output, context.options, added);
      }),
    );

  watch
    .command("import")
    .description("Puts the addresses of a file on the list: CSV with a header, JSON Lines, or an address a line.")
    .argument("<file>", "the file; - is the standard input")
    .option("--column <name>", "the column or member that holds the address")
    .option("--label <text>", "a label for them, at most 64 characters")
    .option("--workspace <id or name>", "whose list it is", "default")
    .addHelpText("after", "\nExample:\n  xpose watch import staff.csv --column mail --label staff")
    .action(async (file: string, _options: object, command: Command) => {
      if (file !== "-" && !existsSync(file)) throw new CommandError(exitCodes.notFound, `there is no file ${file}`);
      await onList(command, output, async (context) => {
        const { column } = context.options;
        const { rows } = await readRows(
          file === "-" ? standardInput() : createReadStream(file),
          column === undefined ? {} : { column },
        );
        const emails: string[] = [];
        for await (const { address } of rows) emails.push(address ?? "");
        printAdded(output, context.options, await addAll(emails, context));
      });
    });

  watch
    .command("remove")
    .description("Takes addresses off the list.")
    .argument("<email...>", "the addresses")
    .option("--workspace <id or name>", "whose list it is", "default")
    .addHelpText("after", "\nExample:\n  xpose watch remove jane.doe@example.com")
    .action((emails: string[], _options: object, command: Command) =>
      onList(command, output, async ({ workspace, open, options }) => {
        const change = { ...parseIndicators(emails.map(asIndicator)), label: null };
        const [fault] = change.invalid;
        if (fault !== undefined) throw fault.error;
        const tools = { ...open, author: commandAuthor(), key: null };
        const body = await removeFromWatchList(workspace.id, change, tools);
        const text = `Removed ${body.removed}; the list holds ${body.total} addresses.`;
        printResult<WatchRemoved>(output, options.json ?? false, body, text);
      }),
    );

  watch
    .command("list")
    .description("Shows the list, in the order in which addresses were added.")
    .option("--label <text>", "only addresses with this label")
    .option("--workspace <id or name>", "whose list it is", "default")
    .addHelpText("after", "\nExample:\n  xpose watch list --label staff --json")
    .action((_options: object, command: Command) =>
      onList(command, output, async ({ workspace, open, options }) => {
        const label = parseLabel(options.label ?? null);
        const all: WatchedBody[] = [];
        for (let cursor: string | null = null, isFirst = true; isFirst || cursor !== null; isFirst = false) {
          const page: WatchList = await listWatchList(
            workspace.id,
            { limit: pageLimit, cursor, label },
            { ...open, randomBytes: entropy.randomBytes },
          );
          all.push(...page.watch);
          cursor = page.next_cursor;
        }
        const rows = all.map((one) => [one.indicator.value, one.label, one.last_checked_at, one.total]);
        const text = table(["ADDRESS", "LABEL", "LAST CHECKED", "FINDINGS"], rows);
        printResult<WatchList>(output, options.json ?? false, { watch: all, next_cursor: null }, text);
      }),
    );

  watch
    .command("check")
    .description("Looks all addresses of the list up in the corpora now. No other source is asked.")
    .option("--workspace <id or name>", "whose list it is", "default")
    .addHelpText("after", "\nExample:\n  xpose watch check --json")
    .action((_options: object, command: Command) =>
      onList(command, output, async ({ config, workspace, open, options }) => {
        const counts = await check(config, workspace, open, output);
        const { checked, matched, new: fresh, failed } = counts;
        const text = `Checked ${checked} addresses: ${matched} with findings, ${fresh} with new ones. ${failed} could not be looked up.`;
        printResult<WatchCheckReport>(output, options.json ?? false, { checked, matched, new: fresh, failed }, text);
        if (failed > 0)
          throw new CommandError(exitCodes.failed, "not every address was looked up; see xpose corpus verify");
      }),
    );

  return watch;
}

type Context = {
  readonly config: Config;
  readonly workspace: Workspace;
  readonly open: OpenStore;
  readonly options: WatchOptions;
};

async function onList(command: Command, output: Output, work: (context: Context) => Promise<void>): Promise<void> {
  const options = command.optsWithGlobals<WatchOptions>();
  const config = readConfig(command, output);
  await withStore(config, async (open) => {
    const workspace = await getWorkspace(options.workspace, open.store);
    await work({ config, workspace, open, options });
  });
}

const asIndicator = (value: string) => ({ type: "email", value });

/** Adds in pieces, as a client of the API would. `value_index` counts over all of them. */
async function addAll(emails: readonly string[], { config, workspace, open, options }: Context): Promise<WatchAdded> {
  const label = parseLabel(options.label ?? null);
  const tools = { ...open, randomBytes: entropy.randomBytes, author: commandAuthor(), key: null };
  let sum: WatchAdded = { added: 0, already: 0, invalid: [], total: 0 };
  for (let start = 0; start === 0 || start < emails.length; start += maxPerChange) {
    const change = parseIndicators(emails.slice(start, start + maxPerChange).map(asIndicator));
    const added = await addToWatchList(workspace.id, { ...change, label }, config.watch.max, tools);
    const invalid = added.invalid.map((one) => ({ ...one, value_index: one.value_index + start }));
    sum = {
      added: sum.added + added.added,
      already: sum.already + added.already,
      invalid: [...sum.invalid, ...invalid],
      total: added.total,
    };
  }
  return sum;
}

function printAdded(output: Output, { json }: WatchOptions, body: WatchAdded): void {
  const text = `Added ${body.added}, ${body.already} were there already; the list holds ${body.total} addresses.`;
  printResult<WatchAdded>(output, json ?? false, body, text);
  if (body.invalid.length === 0) return;
  const places = body.invalid.slice(0, 5).map((one) => one.value_index + 1);
  const more = body.invalid.length > places.length ? " and others" : "";
  throw new CommandError(
    exitCodes.failed,
    `${body.invalid.length} are no email addresses: number ${places.join(", ")}${more}`,
  );
}

async function check(config: Config, workspace: Workspace, open: OpenStore, output: Output) {
  const { log } = openLog(config.log, output.err);
  // Only corpora are asked, so no secret of a source is needed.
  const sources = openSources({ ...config, webhooks: [] }, open, entropy.now);
  try {
    const nothing = () => undefined;
    const tools = {
      ...open,
      live: () => sources.live,
      ...entropy,
      onEvents: nothing,
      onScan: nothing,
      onRound: nothing,
      log,
    };
    return await checkList(workspace, openSealer(open.keys, entropy.randomBytes), tools, abortOnSignal());
  } finally {
    await sources.close();
  }
}
