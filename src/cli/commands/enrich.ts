import { Command, InvalidArgumentError, Option } from "commander";
import { getWorkspace } from "../../access/workspace.ts";
import type { EnrichCall, PollCall, Reply, ReplyBody } from "../../domain/call.ts";
import { type EnrichOptions, longestMaxAgeSeconds } from "../../domain/enrich-options.ts";
import { parseIndicator } from "../../domain/indicator.ts";
import { indicatorHash } from "../../domain/keyed-hash.ts";
import { noSourceAdvice } from "../../domain/no-source.ts";
import type { ScanId } from "../../domain/scan.ts";
import { entropy } from "../../entropy.ts";
import { runScan } from "../../scans/run-scan.ts";
import { leaseMs } from "../../scans/runner.ts";
import { openLog } from "../../service/log.ts";
import { openSources } from "../../service/open-sources.ts";
import type { Progress } from "../../wire/scan.ts";
import { type GlobalOptions, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { addExportFlags, type ExportFlags, writeExport } from "../export-file.ts";
import { jsonLine, type Output } from "../output.ts";
import { becomeOwnerFor } from "../owner.ts";
import { commandActor } from "../person.ts";

type EnrichFlags = GlobalOptions &
  ExportFlags & { workspace: string; refresh?: boolean; cachedOnly?: boolean; maxAge?: number };

export function enrichCommand(output: Output): Command {
  const enrich = new Command("enrich")
    .summary("look up one address")
    .description("Runs or reuses a scan of an email address and prints its exposure envelope.")
    .argument("<email>", "the address")
    .option("--refresh", "ask every source again, even when stored answers are fresh")
    .option("--cached-only", "answer from fresh results only and ask no source; exit 3 when there is none")
    .addOption(
      new Option("--max-age <seconds>", "ask sources again whose answer is older; 0 asks all").argParser(maxAgeFrom),
    )
    .option("--workspace <id or name>", "the workspace to act for", "default")
    .addHelpText("after", "\nExample:\n  xpose enrich jane.doe@example.com --json");
  return addExportFlags(enrich, { isRequired: false, marked: "the question, and of the export" }).action(
    async (email: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<EnrichFlags>();
      refuseLostFlags(command, options);
      const indicator = parseIndicator("email", email);
      const config = readConfig(command, output, { sourceSecrets: true });
      const { place, asRoot } = becomeOwnerFor(config, options.output);
      await withStore(place, async (open) => {
        const { store, keys } = open;
        const { log } = openLog(config.log, output.err);
        const sources = openSources(config, open, entropy.now);
        try {
          const { live } = sources;
          const workspace = await getWorkspace(options.workspace, store);
          const { now } = entropy;
          const caller = { workspaceId: workspace.id, actor: commandActor() };
          const from = { ip: null, correlationId: null };
          // This command claims the scan at once; otherwise the service would run it with its own settings.
          const owner = `command:${entropy.newId()}`;
          const leaseUntil = new Date(now().getTime() + live.scanTimeoutMs + leaseMs);
          const isRefresh = options.refresh ?? false;
          const call: EnrichCall = {
            kind: "enrich",
            caller,
            from,
            fault: null,
            indicator,
            indicatorHash: indicatorHash(keys, indicator),
            newScanId: entropy.newId() as ScanId,
            options: questionOf(command, options),
            runner: { owner, leaseUntil, isRefresh },
          };
          const rules = () => ({ ...live, now: now(), steadyNow: now(), outcomeOf });
          const { format } = options;
          const read = async (scanId: ScanId, view: PollCall["view"]) => {
            const poll: PollCall = { kind: "poll", caller, from, scanId, view, isCharged: false };
            const [result] = await store.handleCalls([poll], rules(), []);
            return result;
          };
          const [reply] = await store.handleCalls([call], rules(), []);
          if (reply?.kind === "completed" && format !== undefined) {
            return writeExport(output, format, { ...options, asRoot }, await read(reply.scanId, "export"));
          }
          if (reply?.kind !== "claimed") return print(output, options, reply);
          const { scan } = reply;
          const allSources = live.sourcesOf(scan.workspace, await store.listCorpora());
          const { signal } = new AbortController();
          const tools = { store, now, steadyNow: () => performance.now(), log };
          await runScan({ scan, sources: allSources, live, isRefresh, signal }, tools);
          const { scanId } = scan.claim;
          if (allSources.length === 0) printFailed(output, options, scanId, noSourceAdvice);
          if (format !== undefined)
            return writeExport(output, format, { ...options, asRoot }, await read(scanId, "export"));
          print(output, options, await read(scanId, "envelope"));
        } finally {
          await sources.close();
        }
      });
    },
  );
}

function maxAgeFrom(text: string): number {
  const seconds = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= longestMaxAgeSeconds)) {
    throw new InvalidArgumentError(`It must be a whole number of seconds from 0 to ${longestMaxAgeSeconds}.`);
  }
  return seconds;
}

/** The options of the look-up. The mark of `--tlp` is that of the question, and with `--format` also that of the export. */
function questionOf(command: Command, { cachedOnly = false, maxAge, tlp }: EnrichFlags): EnrichOptions {
  return {
    isCachedOnly: cachedOnly,
    maxAgeMs: maxAge === undefined ? null : maxAge * 1000,
    tlp: command.getOptionValueSource("tlp") === "cli" ? tlp : null,
  };
}

/** Refuses flags that would be ignored silently: those of an export without `--format`, and two that contradict. */
function refuseLostFlags(command: Command, { format, refresh, cachedOnly }: EnrichFlags): void {
  const given = ["bom", "output"].find((name) => command.getOptionValueSource(name) === "cli");
  if (format === undefined && given !== undefined) {
    throw new CommandError(exitCodes.usage, `--${given} wants --format`);
  }
  if (refresh === true && cachedOnly === true) {
    throw new CommandError(exitCodes.usage, "--refresh and --cached-only contradict each other");
  }
}

/** The outcome of a call for the audit trail. */
function outcomeOf(reply: ReplyBody): string {
  return reply.kind === "refused" ? "failed" : "ok";
}

function print(output: Output, options: EnrichFlags, reply: Reply | undefined): void {
  if (reply?.kind === "refused") throw reply.error;
  if (reply?.kind === "completed") {
    if (reply.isPartial) output.err("warning: some sources failed; this evidence is partial\n");
    if (reply.isInside === true) output.err("note: outside sources were not asked\n");
    output.out(`${options.json === true ? reply.envelope : JSON.stringify(JSON.parse(reply.envelope), null, 2)}\n`);
    return;
  }
  const why = "no source answered, so nothing is known about this address";
  if (reply?.kind === "failed") printFailed(output, options, reply.scanId, why);
  throw new CommandError(exitCodes.failed, `the scan failed: ${why}`);
}

/** Instead of a document in the format of others, a failed scan has only its message. */
function printFailed(output: Output, { format }: EnrichFlags, request_id: ScanId, why: string): never {
  if (format === undefined) output.out(jsonLine<Progress>({ status: "failed", request_id }));
  throw new CommandError(exitCodes.failed, `the scan failed: ${why}`);
}
