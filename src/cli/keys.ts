import { Command } from "commander";
import { createKey, keyBody } from "../access/api-key.ts";
import { getWorkspace } from "../access/workspace.ts";
import { entropy, type GlobalOptions, readConfig, withStore } from "./context.ts";
import { type Output, printResult, table } from "./output.ts";

type KeyOptions = GlobalOptions & { workspace: string };

/** As many as one page of the API may hold; the command prints all pages as one. */
const pageLimit = 200;

export function keysCommand(output: Output): Command {
  const keys = new Command("keys").description("API keys of a workspace");

  keys
    .command("create")
    .description("Mints a key. It is shown this once.")
    .requiredOption("--name <name>", "what the key is for, 1 to 64 characters")
    .option("--expires-at <time>", "RFC 3339 time after which the key stops working")
    .option("--workspace <id or name>", "whose key it is", "default")
    .addHelpText("after", "\nExample:\n  xpose keys create --name splunk --expires-at 2030-01-31T00:00:00Z")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<KeyOptions & { name: string; expiresAt?: string }>();
      await withStore(readConfig(command, output), async ({ store, keys: derived }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const { name, expiresAt = null } = options;
        const request = { workspaceId: workspace.id, name, expiresAt, createdBy: "cli" };
        const { key, token } = await createKey(request, store, derived, entropy);
        const text = `Key "${key.name}" of workspace "${workspace.name}", shown this once:\n${token}`;
        printResult(output, options.json ?? false, { ...keyBody(key, entropy.now()), key: token }, text);
      });
    });

  keys
    .command("list")
    .description("Lists the keys of a workspace, newest first, revoked ones included. Never shows a key.")
    .option("--workspace <id or name>", "whose keys", "default")
    .addHelpText("after", "\nExample:\n  xpose keys list --workspace acme --json")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<KeyOptions>();
      await withStore(readConfig(command, output), async ({ store }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const now = entropy.now();
        const bodies = [];
        for (let cursor: string | null = null, isLast = false; !isLast; isLast = cursor === null) {
          const page = await store.listKeys(workspace.id, { limit: pageLimit, cursor, status: null, now });
          bodies.push(...page.items.map((key) => keyBody(key, now)));
          cursor = page.nextCursor;
        }
        const rows = bodies.map((key) => [key.id, key.name, key.prefix, key.status, key.last_used_at, key.expires_at]);
        const text = table(["ID", "NAME", "PREFIX", "STATUS", "LAST USED", "EXPIRES"], rows);
        printResult(output, options.json ?? false, { keys: bodies, next_cursor: null }, text);
      });
    });

  return keys;
}
