import { Argument, Command, Option } from "commander";
import { createWorkspace, getWorkspace, workspaceBody } from "../../access/workspace.ts";
import { type Plan, plans, type Workspace } from "../../domain/workspace.ts";
import type { WorkspaceChange } from "../../domain/workspace-change.ts";
import { entropy } from "../../entropy.ts";
import type { WorkspaceBody, WorkspaceList } from "../../wire/workspace.ts";
import { commandAuthor, type GlobalOptions, readConfig, withStore } from "../context.ts";
import { type Output, printResult, table } from "../output.ts";

export function workspacesCommand(output: Output): Command {
  const workspaces = new Command("workspaces").description("tenants and their plans");

  function print(command: Command, workspace: Workspace): void {
    const body = workspaceBody(workspace);
    const text = table(["ID", "NAME", "PLAN", "STATUS"], [[body.id, body.name, body.plan, body.status]]);
    printResult<WorkspaceBody>(output, command.optsWithGlobals<GlobalOptions>().json ?? false, body, text);
  }

  async function change(command: Command, idOrName: string, to: WorkspaceChange): Promise<void> {
    await withStore(readConfig(command, output), async ({ store }) => {
      const { id } = await getWorkspace(idOrName, store);
      print(command, await store.changeWorkspace(id, to, commandAuthor()));
    });
  }

  workspaces
    .command("create")
    .description("Adds a workspace. Nothing is shared between workspaces.")
    .requiredOption("--name <name>", "1 to 64 characters, unique (case does not matter)")
    .addOption(new Option("--plan <plan>", "the plan; API access needs team or above").choices(plans).default("team"))
    .addHelpText("after", "\nExample:\n  xpose workspaces create --name acme --plan enterprise")
    .action(async (options: { name: string; plan: Plan }, command: Command) => {
      await withStore(readConfig(command, output), async ({ store }) => {
        print(command, await createWorkspace(options.name, options.plan, store, entropy.newId, commandAuthor()));
      });
    });

  workspaces
    .command("list")
    .description("Lists all workspaces.")
    .addHelpText("after", "\nExample:\n  xpose workspaces list")
    .action(async (_options: object, command: Command) => {
      await withStore(readConfig(command, output), async ({ store }) => {
        const bodies = (await store.listWorkspaces()).map(workspaceBody);
        const rows = bodies.map(({ id, name, plan, status }) => [id, name, plan, status]);
        const text = table(["ID", "NAME", "PLAN", "STATUS"], rows);
        printResult<WorkspaceList>(output, command.optsWithGlobals<GlobalOptions>().json ?? false, bodies, text);
      });
    });

  workspaces
    .command("set-plan")
    .description("Changes the plan. It applies to the next request.")
    .argument("<workspace>", "id or name")
    .addArgument(new Argument("<plan>", "the new plan").choices(plans))
    .addHelpText("after", "\nExample:\n  xpose workspaces set-plan acme team")
    .action((idOrName: string, plan: Plan, _options: object, command: Command) => change(command, idOrName, { plan }));

  workspaces
    .command("disable")
    .description("Makes all keys of a workspace answer 401 until it is enabled again.")
    .argument("<workspace>", "id or name")
    .addHelpText("after", "\nExample:\n  xpose workspaces disable acme")
    .action((idOrName: string, _options: object, command: Command) =>
      change(command, idOrName, { disabledAt: entropy.now() }),
    );

  workspaces
    .command("enable")
    .description("Makes the keys of a disabled workspace work again; revoked keys stay revoked.")
    .argument("<workspace>", "id or name")
    .addHelpText("after", "\nExample:\n  xpose workspaces enable acme")
    .action((idOrName: string, _options: object, command: Command) => change(command, idOrName, { disabledAt: null }));

  return workspaces;
}
