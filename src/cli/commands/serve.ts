import { Command } from "commander";
import { type Config, checkServeSettings } from "../../config/config.ts";
import { takeEnvironment } from "../../config/environment.ts";
import { openStore } from "../../data-directory/data-directory.ts";
import { openLog } from "../../service/log.ts";
import { openLogSink } from "../../service/log-sink.ts";
import { dieOnStrayErrors, type ServedTls, serve } from "../../service/service.ts";
import { openNotifier } from "../../service/systemd.ts";
import type { Listening } from "../../wire/service.ts";
import { becomeOwner, readConfig } from "../context.ts";
import { takeSignals } from "../early-signals.ts";
import { jsonLine, type Output } from "../output.ts";

/** The reader of the log gets this long to take the last lines. */
const logGraceMs = 200;

export function serveCommand(output: Output): Command {
  return new Command("serve")
    .description("Serves the API until it receives SIGTERM. The first line on the standard output is its address.")
    .option("--listen <address>", "host:port, [::1]:port or unix:/path; port 0 picks a free port")
    .addHelpText("after", "\nExample:\n  xpose serve --data-dir /var/lib/xpose --listen 127.0.0.1:8080")
    .action(async (options: { listen?: string }, command: Command) => {
      const needs = { sourceSecrets: true, ...(options.listen === undefined ? {} : { listen: options.listen }) };
      const config = readConfig(command, output, needs);
      const env = takeEnvironment();
      checkServeSettings(config, env);
      becomeOwner(config.dataDir);
      const sink = openLogSink();
      // Warnings of a reload go the way of the log: a reader that is slow must not stop the service here either.
      const readAgain = () => readConfig(command, { ...output, err: sink.write }, needs);
      const logOutput = openLog(config.log, sink.write);
      dieOnStrayErrors(logOutput.log);
      const tls = config.server.tlsCert === null ? null : await openTls(config);
      const open = openStore(config, "service");
      const onListening = (listening: string) => output.out(jsonLine<Listening>({ listening }));
      try {
        const notifier = openNotifier(env);
        await serve({ config, readAgain, tls, open, logOutput, sink, onListening, notifier, takeSignals });
      } finally {
        open.store.close();
        await sink.settle(logGraceMs);
      }
    });
}

/** Loaded where TLS is served. Throws `ConfigError`. */
async function openTls(config: Config): Promise<ServedTls | null> {
  const { readTls } = await import("../../service/tls.ts");
  const { keepCertificate } = await import("../../service/certificate-keeper.ts");
  const first = readTls(config);
  return first === null
    ? null
    : { files: first.files, keep: (tools) => keepCertificate(first, { ...tools, read: () => readTls(config) }) };
}
