import { Command } from "commander";
import { createWorkspace } from "../access/workspace.ts";
import { makeToken } from "../domain/api-key.ts";
import { keyedHash } from "../domain/keyed-hash.ts";
import { createDataDir } from "../wiring.ts";
import { becomeOwner, entropy, type GlobalOptions, readConfig } from "./context.ts";
import { type Output, printResult } from "./output.ts";

export function initCommand(output: Output): Command {
  return new Command("init")
    .summary("create the data directory")
    .description(
      "Creates the data directory with its secret, its database, the workspace `default` and one operator token.",
    )
    .addHelpText("after", "\nExample:\n  xpose init --data-dir /var/lib/xpose")
    .action(async (_options: object, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const config = readConfig(command, output);
      becomeOwner(config.dataDir);
      const { store, keys } = createDataDir(config, entropy.randomBytes);
      const token = makeToken("operator", entropy.randomBytes(20));
      const workspace = await createWorkspace("default", "enterprise", store, entropy.newId, (workspaceId) => ({
        id: entropy.newId(),
        workspaceId,
        name: "admin",
        role: "admin",
        tokenHash: keyedHash(keys.token, token),
        createdAt: entropy.now(),
      }));
      store.close();
      printResult(
        output,
        json,
        { workspace_id: workspace.id, operator_token: token },
        [
          `Created ${config.dataDir} with the workspace "default" (${workspace.id}).`,
          `Operator token, shown this once: ${token}`,
          `Next: xpose keys create --name NAME --data-dir ${config.dataDir}`,
        ].join("\n"),
      );
    });
}
