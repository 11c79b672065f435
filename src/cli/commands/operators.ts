import { Command, Option } from "commander";
import { createOperator, operatorBody, revokeOperator } from "../../access/operator.ts";
import { getWorkspace } from "../../access/workspace.ts";
import { type OperatorRole, operatorRoles } from "../../domain/operator.ts";
import { entropy } from "../../entropy.ts";
import type { CreatedOperator, OperatorBody, OperatorList } from "../../wire/operator.ts";
import { commandAuthor, type GlobalOptions, readConfig, withStore } from "../context.ts";
import { type Output, printResult, table } from "../output.ts";

type OperatorOptions = GlobalOptions & { workspace: string };

export function operatorsCommand(output: Output): Command {
  const operators = new Command("operators").description("people who administer a workspace");

  operators
    .command("create")
    .description("Adds an operator. The token is shown only once; it opens the dashboard and the management API.")
    .requiredOption("--name <name>", "name of the person, 1 to 64 characters; the audit trail shows it")
    .addOption(
      new Option("--role <role>", "an admin manages keys; a viewer reads everything except keys")
        .choices(operatorRoles)
        .default("admin"),
    )
    .option("--workspace <id or name>", "the workspace to administer", "default")
    .addHelpText("after", "\nExample:\n  xpose operators create --name alice --role admin")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<OperatorOptions & { name: string; role: OperatorRole }>();
      await withStore(readConfig(command, output), async ({ store, keys }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const request = { workspaceId: workspace.id, name: options.name, role: options.role };
        const { operator, token } = await createOperator(request, store, keys, entropy, commandAuthor());
        const { id, name, role } = operator;
        const text = `Operator "${name}" (${role}) of workspace "${workspace.name}"; token, shown only once:\n${token}`;
        printResult<CreatedOperator>(output, options.json ?? false, { id, name, role, token }, text);
      });
    });

  operators
    .command("list")
    .description("Lists the operators of a workspace, including revoked operators. Never shows a token.")
    .option("--workspace <id or name>", "the workspace of the operators", "default")
    .addHelpText("after", "\nExample:\n  xpose operators list")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<OperatorOptions>();
      await withStore(readConfig(command, output), async ({ store }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const bodies = (await store.listOperators(workspace.id)).map(operatorBody);
        const rows = bodies.map(({ id, name, role, status }) => [id, name, role, status]);
        printResult<OperatorList>(output, options.json ?? false, bodies, table(["ID", "NAME", "ROLE", "STATUS"], rows));
      });
    });

  operators
    .command("revoke")
    .description("Revokes an operator. The token and all sessions stop working immediately.")
    .argument("<id>", "id of the operator, see xpose operators list")
    .option("--workspace <id or name>", "the workspace of the operator", "default")
    .addHelpText("after", "\nExample:\n  xpose operators revoke 3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33")
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<OperatorOptions>();
      await withStore(readConfig(command, output), async ({ store }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const operator = await revokeOperator(workspace.id, id, store, commandAuthor());
        printResult<OperatorBody>(
          output,
          options.json ?? false,
          operatorBody(operator),
          `Revoked the operator "${operator.name}".`,
        );
      });
    });

  return operators;
}
