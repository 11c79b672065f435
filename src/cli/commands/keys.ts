import { Command, InvalidArgumentError, Option } from "commander";
import { createKey, keyBody, revokeKey, rotateKey } from "../../access/api-key.ts";
import { getWorkspace } from "../../access/workspace.ts";
import type { ApiKey, Token } from "../../domain/api-key.ts";
import { type KeyScope, keyScopes, parseScopes } from "../../domain/key-scope.ts";
import { entropy } from "../../entropy.ts";
import type { KeyBody, KeyList, MintedKey } from "../../wire/key.ts";
import { commandAuthor, type GlobalOptions, readConfig, withStore } from "../context.ts";
import { type Output, printResult, table } from "../output.ts";

type KeyOptions = GlobalOptions & { workspace: string };
type CreateOptions = KeyOptions & {
  name: string;
  scopes?: readonly KeyScope[];
  allowedIp?: readonly string[];
  expiresAt?: string;
  expiresIn?: string;
};

/** The largest page of the API. The command prints all pages as one list. */
const pageLimit = 200;

export function keysCommand(output: Output): Command {
  const keys = new Command("keys").description("API keys of a workspace");

  function printMinted(options: KeyOptions, workspace: string, { key, token }: { key: ApiKey; token: Token }): void {
    const text = `Key "${key.name}" (${key.id}) of workspace "${workspace}", shown only once:\n${token}`;
    printResult<MintedKey>(output, options.json ?? false, { ...keyBody(key, entropy.now()), key: token }, text);
  }

  keys
    .command("create")
    .description("Mints a key. It is shown only once.")
    .requiredOption("--name <name>", "purpose of the key, 1 to 64 characters")
    .addOption(scopesOption())
    .option(
      "--allowed-ip <cidr>",
      "address or network that the key may be used from; may be repeated; default: any address",
      (network: string, before: readonly string[] = []) => [...before, network],
    )
    .option("--expires-at <time>", "RFC 3339 time, or date, at which the key stops working")
    .addOption(new Option("--expires-in <duration>", "lifetime of the key, such as 90d").conflicts("expiresAt"))
    .option("--workspace <id or name>", "whose key it is", "default")
    .addHelpText(
      "after",
      "\nExample:\n  xpose keys create --name graylog --scopes read --allowed-ip 10.20.0.0/16 --expires-in 90d",
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CreateOptions>();
      await withStore(readConfig(command, output), async ({ store, keys: derived }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const { name, scopes = null, allowedIp: allowedIps = null, expiresAt = null, expiresIn = null } = options;
        const expiry = { expiresAt: expiresAt === null ? null : withTime(expiresAt), expiresIn };
        const request = { workspaceId: workspace.id, name, scopes, allowedIps, ...expiry };
        const by = commandAuthor();
        printMinted(options, workspace.name, await createKey(request, { store, keys: derived, by, entropy }));
      });
    });

  keys
    .command("list")
    .description("Lists the keys of a workspace, newest first, including revoked keys. Never shows a plaintext.")
    .option("--workspace <id or name>", "the workspace of the keys", "default")
    .addHelpText("after", "\nExample:\n  xpose keys list --workspace acme --json")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<KeyOptions>();
      await withStore(readConfig(command, output), async ({ store }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const now = entropy.now();
        const bodies: KeyBody[] = [];
        for (let cursor: string | null = null, isLast = false; !isLast; isLast = cursor === null) {
          const page = await store.listKeys(workspace.id, { limit: pageLimit, cursor, status: null, now });
          bodies.push(...page.items.map((key) => keyBody(key, now)));
          cursor = page.nextCursor;
        }
        const header = ["ID", "NAME", "PREFIX", "STATUS", "SCOPES", "ALLOWED IPS", "LAST USED", "EXPIRES"];
        const text = table(header, bodies.map(rowOf));
        printResult<KeyList>(output, options.json ?? false, { keys: bodies, next_cursor: null }, text);
      });
    });

  keys
    .command("rotate")
    .description("Revokes a key and issues its replacement, shown only once. The old key stops working immediately.")
    .argument("<key_id>", "id of the key, see xpose keys list")
    .option("--workspace <id or name>", "whose key it is", "default")
    .addHelpText("after", "\nExample:\n  xpose keys rotate 3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33")
    .action(async (keyId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<KeyOptions>();
      await withStore(readConfig(command, output), async ({ store, keys: derived }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const tools = { store, keys: derived, by: commandAuthor(), entropy };
        printMinted(options, workspace.name, await rotateKey(workspace.id, keyId, tools));
      });
    });

  keys
    .command("revoke")
    .description("Revokes a key for good. It stops working immediately, and stays in the lists and the audit trail.")
    .argument("<key_id>", "id of the key, see xpose keys list")
    .option("--workspace <id or name>", "whose key it is", "default")
    .addHelpText("after", "\nExample:\n  xpose keys revoke 3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33")
    .action(async (keyId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<KeyOptions>();
      await withStore(readConfig(command, output), async ({ store }) => {
        const workspace = await getWorkspace(options.workspace, store);
        const key = await revokeKey(workspace.id, keyId, { store, by: commandAuthor() });
        printResult<KeyBody>(
          output,
          options.json ?? false,
          keyBody(key, entropy.now()),
          `Revoked the key "${key.name}".`,
        );
      });
    });

  return keys;
}

function rowOf(key: KeyBody): (string | null)[] {
  const { id, name, prefix, status, scopes, allowed_ips, last_used_at, expires_at } = key;
  return [id, name, prefix, status, scopes.join(","), allowed_ips.join(",") || "any", last_used_at, expires_at];
}

function scopesOption(): Option {
  const wanted = `one or more of ${keyScopes.join(", ")}, separated by commas`;
  const option = new Option("--scopes <list>", `allowed uses of the key: ${wanted}; default: enrich,watch`);
  return option.argParser((text: string) => {
    const scopes = parseScopes(text.split(",").map((name) => name.trim()));
    if (scopes === null) throw new InvalidArgumentError(`It must be ${wanted}.`);
    return scopes;
  });
}

/** Turns a date without a time into its first moment, in UTC. */
function withTime(text: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(text.trim()) ? `${text.trim()}T00:00:00Z` : text;
}
