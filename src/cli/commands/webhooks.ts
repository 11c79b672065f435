import { Command } from "commander";
import { timestamp } from "../../domain/time.ts";
import { noCounts } from "../../domain/watch.ts";
import { checkedEvent } from "../../domain/watch-event.ts";
import { entropy } from "../../entropy.ts";
import { openSources } from "../../service/open-sources.ts";
import type { WebhookState } from "../../store/port/webhook.ts";
import { sendEvent } from "../../webhooks/send.ts";
import type { WebhookList, WebhookTest } from "../../wire/watch.ts";
import { abortOnSignal, type GlobalOptions, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { type Output, printResult, table } from "../output.ts";

export function webhooksCommand(output: Output): Command {
  const webhooks = new Command("webhooks").description("Receivers of events, as the configuration names them");

  webhooks
    .command("list")
    .description("Shows each webhook and how far it is.")
    .addHelpText("after", "\nExample:\n  xpose webhooks list")
    .action(async (_options: object, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const config = readConfig(command, output);
      await withStore(config, async ({ store }) => {
        const states = new Map((await store.listWebhooks()).map((state) => [state.name, state]));
        const body: WebhookList = {
          webhooks: config.webhooks.map(({ name, url, isEnabled }) => {
            const state = states.get(name);
            return {
              name,
              // A path or a query may be a secret of the receiver.
              url: new URL(url).origin,
              state: isEnabled ? stateOf(state) : "off",
              waiting: state?.waitingCount ?? 0,
              delivered_at: timeOf(state?.deliveredAt),
              failed_at: timeOf(state?.failedAt),
              fault: state?.fault ?? null,
            };
          }),
        };
        const rows = body.webhooks.map((one) => [
          one.name,
          one.url,
          one.state,
          one.waiting,
          one.delivered_at,
          one.fault,
        ]);
        const text = table(["NAME", "URL", "STATE", "WAITING", "DELIVERED", "FAULT"], rows);
        printResult<WebhookList>(output, json, body, text);
      });
    });

  webhooks
    .command("test")
    .description("Sends an event without findings to a webhook, once, and shows what it answered.")
    .argument("<name>", "the webhook")
    .addHelpText("after", "\nExample:\n  xpose webhooks test siem")
    .action(async (name: string, _options: object, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const config = readConfig(command, output, { sourceSecrets: true });
      await withStore(config, async (open) => {
        const sources = openSources(config, open, entropy.now);
        try {
          const webhook = sources.webhooks.find((one) => one.name === name);
          if (webhook === undefined) throw new CommandError(exitCodes.notFound, `there is no enabled webhook ${name}`);
          if (!webhook.isAllowed)
            throw new CommandError(exitCodes.refused, "offline: only webhooks marked internal are asked");
          const event = checkedEvent(entropy.now(), "corpus", [], noCounts).body(entropy.newId());
          const { status, fault } = await sendEvent(webhook, event, entropy.now(), abortOnSignal());
          const text = fault === null ? `${name} answered ${status}.` : `${name} failed.`;
          printResult<WebhookTest>(output, json, { name, status, fault }, text);
          if (fault !== null) throw new CommandError(exitCodes.failed, fault);
        } finally {
          await sources.close();
        }
      });
    });

  return webhooks;
}

function stateOf(state: WebhookState | undefined): "ready" | "failing" | "off" {
  if (state === undefined) return "ready";
  if (state.isOff) return "off";
  return state.fault === null ? "ready" : "failing";
}

function timeOf(at: Date | null | undefined): string | null {
  return at == null ? null : timestamp(at);
}
