import { Command } from "commander";
import { examineConfig } from "../../config/config.ts";
import { effectiveSettings } from "../../config/settings.ts";
import { entropy } from "../../entropy.ts";
import { ownUser } from "../../own-user.ts";
import type { ConfigReport, SettingList } from "../../wire/config.ts";
import { configRequest, type GlobalOptions } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { findConfigFaults } from "../find-config-faults.ts";
import { type Output, printResult, table } from "../output.ts";

export function configCommand(output: Output): Command {
  const config = new Command("config").description("the configuration: check, show, reload");

  config
    .command("check")
    .description("Checks file, environment, secrets, certificates and sources, and prints one line for each fault.")
    .addHelpText("after", "\nExample:\n  xpose config check --config ./xpose.toml")
    .action(async (_options: object, command: Command) => {
      await check(command, output, { isReload: false }, () => "The configuration can be used.");
    });

  config
    .command("show")
    .description("Prints every setting in effect and where it comes from. Secrets are hidden.")
    .addHelpText("after", "\nExample:\n  xpose config show --json")
    .action((_options: object, command: Command) => {
      const {
        config: found,
        faults,
        warnings,
        ...rest
      } = examineConfig(configRequest(command, { sourceSecrets: false }));
      for (const warning of warnings) output.err(`warning: ${warning}\n`);
      if (found === null) throw faults[0];
      const settings = effectiveSettings({ ...rest, config: found }) as SettingList;
      const rows = settings.map(({ key, value, from }) => [key, value === null ? null : JSON.stringify(value), from]);
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      printResult<SettingList>(output, json, settings, table(["SETTING", "VALUE", "FROM"], rows));
    });

  config
    .command("reload")
    .description(
      "Checks the configuration and, if it can be used, makes a running service read it: what the unit calls.",
    )
    .argument("<pid>", "process of the service")
    .addHelpText("after", '\nExample:\n  xpose config reload "$(systemctl show -P MainPID xpose)"')
    .action(async (pid: string, _options: object, command: Command) => {
      if (!/^[1-9]\d{0,9}$/.test(pid) || pid === "1") {
        throw new CommandError(exitCodes.usage, "the pid must be that of the service");
      }
      await check(command, output, { isReload: true }, () => {
        signal(Number(pid));
        return `The configuration can be used; told the service ${pid} to read it.`;
      });
    });

  return config;
}

/** Reports all faults with exit 2. Without a fault runs `use` and prints its text. */
async function check(
  command: Command,
  output: Output,
  { isReload }: { isReload: boolean },
  use: () => string,
): Promise<void> {
  const now = isReload ? null : entropy.now();
  const { faults, warnings } = await findConfigFaults(configRequest(command, { sourceSecrets: true }), now);
  const { json = false } = command.optsWithGlobals<GlobalOptions>();
  for (const warning of json ? [] : warnings) output.err(`warning: ${warning}\n`);
  const ok = faults.length === 0;
  const text = ok ? use() : faults.join("\n");
  printResult<ConfigReport>(output, json, { ok, faults: [...faults], warnings: [...warnings] }, text);
  if (!ok) throw new CommandError(exitCodes.usage, `the configuration cannot be used, faults: ${faults.length}`);
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGHUP");
  } catch (error) {
    const isGone = error instanceof Error && "code" in error && error.code === "ESRCH";
    if (isGone) throw new CommandError(exitCodes.notFound, `there is no process ${pid}`);
    throw new CommandError(exitCodes.failed, `user ${ownUser()} may not signal process ${pid}`);
  }
}
