import { Command } from "commander";
import { beginHead } from "../../access/audit-head.ts";
import { newOperator } from "../../access/operator.ts";
import { createWorkspace } from "../../access/workspace.ts";
import { createDataDir } from "../../data-directory/data-directory.ts";
import { entropy } from "../../entropy.ts";
import type { InitReport } from "../../wire/service.ts";
import { becomeOwner, commandAuthor, type GlobalOptions, keepAuditHead, readConfig } from "../context.ts";
import { type Output, printResult } from "../output.ts";

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
      const { store, keys, headFile } = createDataDir(config, entropy.randomBytes);
      const by = commandAuthor();
      let token = "";
      const workspace = await createWorkspace("default", "enterprise", store, entropy.newId, by, (workspaceId) => {
        const first = newOperator({ workspaceId, name: "admin", role: "admin" }, keys, entropy, by.at);
        token = first.token;
        return first.operator;
      });
      await keepAuditHead({ store, headFile }, beginHead);
      store.close();
      printResult<InitReport>(
        output,
        json,
        { workspace_id: workspace.id, operator_token: token },
        [
          `Created ${config.dataDir} with the workspace "default" (${workspace.id}).`,
          `Operator token, shown only once: ${token}`,
          `Next: xpose keys create --name NAME --data-dir ${config.dataDir}`,
        ].join("\n"),
      );
    });
}
