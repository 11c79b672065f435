import { readFileSync, writeSync } from "node:fs";
import { Command } from "commander";
import { type Config, ConfigError, checkServeSettings, environment } from "../config.ts";
import { removeOrphans } from "../corpus/import.ts";
import { indicatorHash } from "../domain/keyed-hash.ts";
import type { ScanId } from "../domain/scan.ts";
import { noAccessLog, openAccessLog } from "../http/access-log.ts";
import { routes } from "../http/route-table.ts";
import { createRouter } from "../http/router.ts";
import { startServer } from "../http/serve.ts";
import { type Log, openLog } from "../log.ts";
import { openCalls } from "../scans/calls.ts";
import type { Live } from "../scans/live.ts";
import { removeExpired } from "../scans/retention.ts";
import { Runner } from "../scans/runner.ts";
import { type OpenStore, openSources, openStore } from "../wiring.ts";
import { becomeOwner, entropy, readConfig } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import type { Output } from "./output.ts";

/** Scans and answers under way get this long after SIGTERM; with the rest it stays below the promised 10 s. */
const stopGraceMs = 3_000;
const retentionEveryMs = 60 * 60 * 1000;

export function serveCommand(output: Output): Command {
  return new Command("serve")
    .description(
      "Serves the API until it is told to stop (SIGTERM). The first line on the standard output is its address.",
    )
    .option("--listen <address>", "host:port, [::1]:port or unix:/path; port 0 takes a free one")
    .addHelpText("after", "\nExample:\n  xpose serve --data-dir /var/lib/xpose --listen 127.0.0.1:8080")
    .action(async (options: { listen?: string }, command: Command) => {
      const needs = { sourceSecrets: true, ...(options.listen === undefined ? {} : { listen: options.listen }) };
      const config = readConfig(command, output, needs);
      checkServeSettings(config, environment());
      becomeOwner(config.dataDir);
      const log = openLog(config.log);
      dieOnStrayErrors(log);
      const open = openStore(config, "service");
      try {
        await serve(config, open, log, output);
      } finally {
        open.store.close();
      }
    });
}

async function serve(config: Config, open: OpenStore, log: Log, output: Output): Promise<void> {
  const { store, keys } = open;
  const { now, newId } = entropy;
  const steadyNow = () => performance.now();
  await removeOrphanSegments(open, log);
  const sources = openSources(config, open, entropy.now);
  const live = (): Live => sources.live;
  const runner = new Runner(live, { store, now, steadyNow, log });
  const calls = openCalls(store, live, now, () => runner.wake());
  const logsRequests = log.isLevelEnabled("info");
  const accessLog = logsRequests ? openAccessLog((text) => writeSync(2, text), now) : noAccessLog;
  let isReady = false;
  const respond = createRouter(routes, {
    keys,
    calls,
    whenSettled: (scanId, timeoutMs, signal) => runner.whenSettled(scanId, timeoutMs, signal),
    newScanId: () => newId() as ScanId,
    hashOf: (indicator) => indicatorHash(keys, indicator),
    newId,
    steadyNow,
    isReady: () => isReady,
    accessLog,
    log,
  });
  const toldToStop = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => resolve(signal));
  });
  const server = await listen(config, respond);
  await runner.start();
  isReady = true;
  output.out(`${JSON.stringify({ listening: server.address })}\n`);
  log.info({ listening: server.address }, "serving");
  const retention = keepRetention(open, live, log);

  const signal = await toldToStop;
  log.info({ signal }, "stopping");
  isReady = false;
  retention.stop();
  await Promise.all([runner.stop(stopGraceMs), server.stop(stopGraceMs)]);
  await sources.close();
  accessLog.flush();
  log.info("stopped");
}

async function listen(config: Config, respond: (request: Request) => Promise<Response>) {
  const { listen: address, socketMode, tlsCert, tlsKey, clientCa } = config.server;
  const tls =
    tlsCert === null || tlsKey === null
      ? null
      : {
          cert: readPem("server.tls_cert", tlsCert),
          key: readPem("server.tls_key", tlsKey),
          clientCa: clientCa === null ? null : readPem("server.client_ca", clientCa),
        };
  try {
    return await startServer({ listen: address, socketMode, tls }, respond);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown reason";
    throw new CommandError(exitCodes.failed, `cannot listen on the address of server.listen: ${reason}`);
  }
}

function readPem(key: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new ConfigError(key, path, "a PEM file that can be read");
  }
}

/** Files that a killed import or a removal left behind. While an import runs they are left alone. */
async function removeOrphanSegments({ store, corporaDir, lockCorpora }: OpenStore, log: Log): Promise<void> {
  const lock = lockCorpora("exclusive");
  if (lock === null) return;
  try {
    const corpora = await store.listCorpora();
    const liveFiles = corpora.flatMap((corpus) => corpus.imports.map(({ segmentFile }) => segmentFile));
    const removedCount = await removeOrphans(corporaDir, liveFiles);
    if (removedCount > 0) log.info({ files: removedCount }, "orphaned corpus files removed");
  } finally {
    lock.release();
  }
}

function keepRetention({ store }: OpenStore, live: () => Live, log: Log): { stop: () => void } {
  const abort = new AbortController();
  const sweep = async () => {
    try {
      const rowCount = await removeExpired(store, live, entropy.now, abort.signal);
      if (rowCount > 0) log.info({ rows: rowCount }, "expired rows removed");
    } catch (error) {
      log.error({ err: error }, "expired rows could not be removed");
    }
  };
  void sweep();
  const timer = setInterval(() => void sweep(), retentionEveryMs);
  return {
    stop() {
      clearInterval(timer);
      abort.abort();
    },
  };
}

/** The state after a stray error is unknown. A restart and durable scans are the recovery. */
function dieOnStrayErrors(log: Log): void {
  const die = (error: unknown) => {
    log.fatal({ err: error }, "stray error, the service ends");
    process.exit(exitCodes.failed);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
}
