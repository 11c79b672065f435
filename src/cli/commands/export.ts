import { Command } from "commander";
import { getWorkspace } from "../../access/workspace.ts";
import type { CallRules, PollCall } from "../../domain/call.ts";
import type { ScanId } from "../../domain/scan.ts";
import { isId } from "../../domain/workspace.ts";
import { entropy } from "../../entropy.ts";
import { type GlobalOptions, readConfig, withStore } from "../context.ts";
import { addExportFlags, type ExportFlags, writeExport } from "../export-file.ts";
import type { Output } from "../output.ts";
import { becomeOwnerFor } from "../owner.ts";
import { commandActor } from "../person.ts";

type ExportOptions = GlobalOptions & ExportFlags & { format: NonNullable<ExportFlags["format"]>; workspace: string };

export function exportCommand(output: Output): Command {
  const command = new Command("export")
    .summary("one look-up as STIX, MISP, OCSF, ECS, CSV or Markdown")
    .description("Prints the evidence of a completed scan in a format of others, as GET .../export does.")
    .argument("<request id>", "the scan, by the request_id of its envelope")
    .option("--workspace <id or name>", "the workspace of the scan", "default")
    .addHelpText(
      "after",
      "\nExample:\n  xpose export 8f14e45f-ceea-467d-9a3f-2b4c1d0e7a12 --format stix --output case.json",
    );
  return addExportFlags(command, { isRequired: true, marked: "the export" }).action(
    async (id: string, _options: object, self: Command) => {
      const options = self.optsWithGlobals<ExportOptions>();
      const config = readConfig(self, output);
      const { place, asRoot } = becomeOwnerFor(config, options.output);
      await withStore(place, async ({ store }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const { now } = entropy;
        const { cache, scan } = config;
        const rules: CallRules = {
          now: now(),
          steadyNow: now(),
          lifetimes: { cacheTtlMs: cache.ttlMs, partialTtlMs: cache.partialTtlMs, retentionMs: scan.retentionMs },
          limits: config.rateLimit,
          maxQueue: scan.maxQueue,
          maxTlpOutside: scan.maxTlpOutside,
          // A finished scan needs no sources, so none are opened.
          fingerprintOf: () => "",
          outcomeOf: (reply) => (reply.kind === "refused" ? "failed" : "ok"),
        };
        const call: PollCall = {
          kind: "poll",
          caller: { workspaceId: workspace.id, actor: commandActor() },
          from: { ip: null, correlationId: null },
          scanId: isId(id) ? (id as ScanId) : null,
          view: "export",
          isCharged: false,
        };
        const [reply] = await store.handleCalls([call], rules, []);
        writeExport(output, options.format, { ...options, asRoot }, reply);
      });
    },
  );
}
