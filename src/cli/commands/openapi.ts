import { Command } from "commander";
import { version } from "../../version.ts";
import type { Output } from "../output.ts";

export function openapiCommand(output: Output): Command {
  return new Command("openapi")
    .description("Prints the OpenAPI 3.1 document of the API, the same as GET /openapi.json.")
    .addHelpText("after", "\nExample:\n  xpose openapi > openapi.json")
    .action(async (_options: object, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      // Loaded on demand: the help loads every command, and building the schemas of all bodies takes time.
      const { openapiDocument } = await import("../../http/openapi.ts");
      output.out(`${JSON.stringify(openapiDocument(version), null, json ? 0 : 2)}\n`);
    });
}
