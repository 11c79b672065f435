import { Command, Option } from "commander";
import { getWorkspace } from "../../access/workspace.ts";
import { watchEventTypes } from "../../domain/watch-event.ts";
import { openBell } from "../../event-loop/bell.ts";
import { readEventList } from "../../watch/event-list.ts";
import type { EventList, WatchEventBody } from "../../wire/event.ts";
import { abortOnSignal, type GlobalOptions, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { jsonLine, type Output, printResult, table } from "../output.ts";

type EventOptions = GlobalOptions & {
  workspace: string;
  after?: string;
  limit: string;
  type?: string;
  follow?: boolean;
};

/** The command looks every second anyway; this only bounds one question. */
const followMs = 60_000;

export function eventsCommand(output: Output): Command {
  return new Command("events")
    .summary("what checks of the watch list found")
    .description("Shows the events of a watch list, oldest first.")
    .option("--after <id>", "only events after this one")
    .option("--limit <count>", "at most so many, 1 to 1000", "100")
    .addOption(new Option("--type <type>", "only events of this type").choices([...watchEventTypes]))
    .option("--follow", "go on with events as they come, one JSON object a line, until interrupted")
    .option("--workspace <id or name>", "whose events", "default")
    .addHelpText("after", "\nExample:\n  xpose events --type exposure.new --follow")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<EventOptions>();
      const limit = /^\d{1,4}$/.test(options.limit) ? Number(options.limit) : 0;
      if (limit < 1 || limit > 1000)
        throw new CommandError(exitCodes.usage, "--limit wants a whole number from 1 to 1000");
      await withStore(readConfig(command, output), async ({ store, keys }) => {
        const { id } = await getWorkspace(options.workspace, store);
        const signal = abortOnSignal();
        const tools = { store, keys, bell: openBell(), steadyNow: () => performance.now(), signal };
        const types = options.type === undefined ? null : [options.type];
        const ask = (after: string | null, waitMs: number) => readEventList(id, { after, limit, types, waitMs }, tools);
        if (options.follow !== true) {
          const list = await ask(options.after ?? null, 0);
          return printResult<EventList>(output, options.json ?? false, list, eventTable(list.events));
        }
        for (let after = options.after ?? null; !signal.aborted; ) {
          const { events, next } = await ask(after, followMs);
          for (const event of events) output.out(jsonLine<WatchEventBody>(event));
          after = next;
        }
      });
    });
}

function eventTable(events: readonly WatchEventBody[]): string {
  return table(["AT", "TYPE", "ABOUT", "WHAT", "ID"], events.map(eventRow));
}

function eventRow(event: WatchEventBody): string[] {
  const { at, type, id } = event;
  if (event.type === "exposure.new") {
    const first = event.first === true ? ", first check" : "";
    return [at, type, event.indicator.value, `${event.findings.length} new findings${first}`, id];
  }
  if (event.type === "watch.checked") {
    const { checked, matched, new: fresh, failed } = event.counts;
    const what = `${checked} checked, ${matched} with findings, ${fresh} with new ones, ${failed} failed`;
    return [at, type, event.corpora.join(" ") || event.trigger, what, id];
  }
  return [at, type, event.source, event.error ?? "", id];
}
