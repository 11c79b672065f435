import { Command } from "commander";
import { version } from "../../version.ts";
import type { Output } from "../output.ts";

export function openapiCommand(output: Output): Command {
  return new Command("openapi")
    .description("Prints the API as an OpenAPI 3.1 document, as GET /openapi.json does.")
    .addHelpText("after", "\nExample:\n  xpose openapi > openapi.json")
    .action(async (_options: object, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      // Loaded here and not above: the help loads every command, and the schemas of all bodies take time to make.
      const { openapiDocument } = await import("../../http/openapi.ts");
      output.out(`${JSON.stringify(openapiDocument(version), null, json ? 0 : 2)}\n`);
    });
}
