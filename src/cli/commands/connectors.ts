import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import type { ConnectorList, ExportedConnector } from "../../wire/connector.ts";
import type { GlobalOptions } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { type Output, printResult, table } from "../output.ts";

export function connectorsCommand(output: Output): Command {
  return new Command("connectors")
    .description("The connectors to other platforms that this executable holds.")
    .addCommand(
      new Command("list")
        .description("Lists the connectors.")
        .addHelpText("after", "\nExample:\n  xpose connectors list --json")
        .action(async (_options: object, command: Command) => {
          const { json = false } = command.optsWithGlobals<GlobalOptions>();
          const { listConnectors } = await import("../../connectors/catalogue.ts");
          const connectors = listConnectors();
          const rows = connectors.map(({ name, platform, kind, files }) => [name, platform, kind, files.length]);
          printResult<ConnectorList>(output, json, connectors, table(["NAME", "PLATFORM", "KIND", "FILES"], rows));
        }),
    )
    .addCommand(
      new Command("export")
        .description("Writes the files of a connector to a folder, which must be empty or new.")
        .argument("<name>", "as xpose connectors list shows it")
        .argument("<dir>", "the folder")
        .addHelpText("after", "\nExample:\n  xpose connectors export misp ./misp")
        .action(async (name: string, dir: string, _options: object, command: Command) => {
          const { json = false } = command.optsWithGlobals<GlobalOptions>();
          const { filesOf, listConnectors } = await import("../../connectors/catalogue.ts");
          const files = filesOf(name);
          if (files === null) {
            const known = listConnectors().map((connector) => connector.name);
            throw new CommandError(exitCodes.notFound, `no connector is named ${name}; there are ${known.join(", ")}`);
          }
          checkEmpty(dir);
          for (const { path, mode, content } of files) {
            const file = join(dir, path);
            mkdirSync(dirname(file), { recursive: true });
            writeFileSync(file, content, { flag: "wx" });
            chmodSync(file, mode);
          }
          const paths = files.map(({ path }) => path);
          printResult<ExportedConnector>(output, json, { name, dir, files: paths }, `${paths.length} files in ${dir}`);
        }),
    );
}

function checkEmpty(dir: string): void {
  const found = statSync(dir, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory()) throw new CommandError(exitCodes.refused, `${dir} exists and is no directory`);
  if (readdirSync(dir).length > 0) throw new CommandError(exitCodes.refused, `${dir} is not empty`);
}
