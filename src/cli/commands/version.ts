import { Command } from "commander";
import { version } from "../../version.ts";
import type { VersionReport } from "../../wire/service.ts";
import type { GlobalOptions } from "../context.ts";
import { type Output, printResult } from "../output.ts";

export function versionCommand(output: Output): Command {
  return new Command("version")
    .description("Prints the version.")
    .addHelpText("after", "\nExample:\n  xpose version --json")
    .action((_options: object, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      printResult<VersionReport>(output, json, { version, bun: Bun.version }, `xpose ${version}`);
    });
}
