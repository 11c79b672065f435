import { Command } from "commander";
import { openAuditTrail } from "../../access/audit.ts";
import { type Config, checkServeSettings, environment } from "../../config.ts";
import { indicatorHash } from "../../domain/keyed-hash.ts";
import type { ScanId } from "../../domain/scan.ts";
import { openAccessLog } from "../../http/access-log.ts";
import { makeTrust, type Peer } from "../../http/client.ts";
import { routes } from "../../http/route-table.ts";
import { createRouter } from "../../http/router.ts";
import { outcomeOf } from "../../http/routes/enrich.ts";
import { type ServerSettings, startServer } from "../../http/serve.ts";
import { openThrottle } from "../../http/throttle.ts";
import { type Log, type LogOutput, openLog } from "../../log.ts";
import { openMetrics } from "../../metrics.ts";
import { openCalls } from "../../scans/calls.ts";
import type { Live } from "../../scans/live.ts";
import { type Retention, removeExpired, removeOldEvents } from "../../scans/retention.ts";
import { Runner } from "../../scans/runner.ts";
import { type Notifier, openNotifier } from "../../systemd.ts";
import { version } from "../../version.ts";
import type { Listening } from "../../wire/service.ts";
import { type OpenSources, type OpenStore, openSources, openStore, schemaVersion } from "../../wiring.ts";
import { becomeOwner, commandAuthor, entropy, readConfig } from "../context.ts";
import { openDashboard } from "../dashboard.ts";
import { watchDisk } from "../disk-watch.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { keepMerged } from "../merge-keeper.ts";
import { jsonLine, type Output } from "../output.ts";

/** Scans, then answers, get this long after SIGTERM, each at worst twice: together less than the promised 10 s. */
const stopGraceMs = 2_000;
/** CONTRACT.md 9.9. */
const logInsPerMinute = 10;
/** Whoever waited for the service is answered before the first sweep. */
const firstRetentionMs = 1_000;
/** Whoever waits for the service to start is answered first. */
const announceAfterMs = 50;
const retentionEveryMs = 60 * 1000;
/** A scan that still uses replaced settings may take this much longer than its time-out. */
const closeMarginMs = 5_000;

export function serveCommand(output: Output): Command {
  return new Command("serve")
    .description(
      "Serves the API until it is told to stop (SIGTERM). The first line on the standard output is its address.",
    )
    .option("--listen <address>", "host:port, [::1]:port or unix:/path; port 0 takes a free one")
    .addHelpText("after", "\nExample:\n  xpose serve --data-dir /var/lib/xpose --listen 127.0.0.1:8080")
    .action(async (options: { listen?: string }, command: Command) => {
      const needs = { sourceSecrets: true, ...(options.listen === undefined ? {} : { listen: options.listen }) };
      const readAgain = () => readConfig(command, output, needs);
      const config = readAgain();
      const env = environment();
      checkServeSettings(config, env);
      becomeOwner(config.dataDir);
      const logOutput = openLog(config.log);
      dieOnStrayErrors(logOutput.log);
      const tls = config.server.tlsCert === null ? null : (await import("../tls.ts")).readTls(config);
      const open = openStore(config, "service");
      try {
        await serve({ config, readAgain, tls, open, logOutput, output, notifier: openNotifier(env) });
      } finally {
        open.store.close();
      }
    });
}

type Service = {
  readonly config: Config;
  readonly readAgain: () => Config;
  readonly tls: ServerSettings["tls"];
  readonly open: OpenStore;
  readonly logOutput: LogOutput;
  readonly output: Output;
  readonly notifier: Notifier;
};

async function serve({ config, readAgain, tls, open, logOutput, output, notifier }: Service): Promise<void> {
  const { store, keys, headFile } = open;
  const { log } = logOutput;
  const { now, newId, randomBytes } = entropy;
  const steadyNow = () => performance.now();
  const sources = openReplaceable(config, open, logOutput);
  const runner = new Runner(sources.live, { store, now, steadyNow, log });
  const trail = openAuditTrail({ store, now, steadyNow, headFile, log });
  const disk = watchDisk(config.dataDir, open, log);
  const metrics = openMetrics(version, {
    auditDroppedCount: trail.droppedCount,
    auditWaitingCount: trail.waitingCount,
    isDiskFull: () => disk.problem() !== null,
    isAuditHeadKept: () => !["lost", "not_continued"].includes(trail.headState()?.kind ?? ""),
  });
  const calls = openCalls({
    store,
    live: sources.live,
    now,
    steadyNow,
    outcomeOf,
    trail,
    onMiss: () => runner.wake(),
    onFailOpen: metrics.countFailOpen,
  });
  const accessLog = openAccessLog(output.err, now, () => log.isLevelEnabled("info"));
  let isReady = false;
  const respond = createRouter(routes, {
    keys,
    store,
    calls,
    trail,
    trust: makeTrust(config.server.trustedProxies, config.server.hostnames),
    logIns: openThrottle(logInsPerMinute, 60_000, steadyNow),
    publicUrl: config.server.publicUrl,
    dashboard: openDashboard({ config, live: sources.live, metrics, now, steadyNow }),
    metrics,
    whenSettled: (scanId, timeoutMs, signal) => runner.whenSettled(scanId, timeoutMs, signal),
    newScanId: () => newId() as ScanId,
    hashOf: (indicator) => indicatorHash(keys, indicator),
    now,
    newId,
    randomBytes,
    steadyNow,
    isReady: () => isReady,
    diskProblem: disk.problem,
    accessLog,
    log,
  });
  const toldToStop = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => resolve(signal));
  });
  process.on("SIGHUP", () => {
    notifier.reloading();
    void sources.reload(readAgain).finally(() => notifier.ready());
  });
  const server = await listen(config, tls, respond).catch(async (error: unknown) => {
    // They are at work already, and the database closes when this function ends.
    disk.stop();
    await Promise.allSettled([trail.stop(), sources.close()]);
    throw error;
  });
  await runner.start();
  isReady = true;
  output.out(jsonLine<Listening>({ listening: server.address }));
  if (open.upgradedFrom !== null) log.info({ from: open.upgradedFrom, to: schemaVersion }, "data directory upgraded");
  log.info({ listening: server.address }, "serving");
  notifier.ready();
  const announced = Bun.sleep(announceAfterMs)
    .then(sources.announce)
    .catch((error: unknown) => log.error({ err: error }, "changed sources could not be written down"));
  const keptRow = () => {
    const state = trail.headState();
    return state?.kind === "kept" ? state.head.row : null;
  };
  const auditRetentionMs = config.audit.retentionMs;
  const retention = keepRetention(open, { live: sources.live, auditRetentionMs, now }, keptRow, log);
  const merging = keepMerged(open, log);
  const sweeping = setTimeout(() => {
    void sweepOnce(config, open, log);
    void checkSchema(open, log);
  }, firstRetentionMs);

  const signal = await toldToStop;
  log.info({ signal }, "stopping");
  notifier.stopping();
  isReady = false;
  retention.stop();
  merging.stop();
  disk.stop();
  clearTimeout(sweeping);
  // While scans end, whoever still asks is told 503; then the server ends too.
  for (const stop of [() => runner.stop(stopGraceMs), () => server.stop(stopGraceMs)]) {
    await stop().catch((error: unknown) => log.error({ err: error }, "could not stop in order"));
  }
  await announced;
  await sources.close();
  await trail
    .stop()
    .catch((error: unknown) => log.error({ err: error }, "the audit trail could not be closed in order"));
  accessLog.flush();
  log.info({}, "stopped");
}

/** Keys of the configuration that a running service cannot take over (CONTRACT.md 12.2). */
const fixedSettings = ["dataDir", "secretFile", "offline", "server", "audit"] as const;

/**
 * What SIGHUP replaces. A whole new set is built from the file first; then one variable is assigned, so that a turn or
 * a scan never sees half of it. A bad file changes nothing.
 */
function openReplaceable(first: Config, open: OpenStore, { log, reconfigure }: LogOutput) {
  let current: { readonly config: Config; readonly sources: OpenSources } = {
    config: first,
    sources: openSources(first, open, entropy.now),
  };

  /**
   * Writes down which sources changed, and names what the configuration says and nobody has, and corpora that a source
   * of the same name keeps out.
   */
  async function announce(): Promise<void> {
    const { config, sources } = current;
    await open.store.noteSources(sources.fingerprints, commandAuthor());
    for (const source of config.sources) {
      for (const workspace of source.workspaces ?? []) {
        if ((await open.store.findWorkspace(workspace)) !== null) continue;
        log.warn({ source: source.name, workspace }, "source names an unknown workspace");
      }
    }
    for (const { name } of await open.store.listCorpora()) {
      if (sources.sourceNames.has(name)) log.warn({ corpus: name }, "corpus is left out: a source has its name");
    }
  }

  return {
    live: (): Live => current.sources.live,
    announce,
    async reload(readAgain: () => Config): Promise<void> {
      try {
        const config = readAgain();
        const next = openSources({ ...config, offline: first.offline }, open, entropy.now);
        const old = current;
        current = { config, sources: next };
        reconfigure(config.log);
        const waiting = fixedSettings.filter((key) => !Bun.deepEquals(config[key], first[key]));
        if (waiting.length > 0) log.warn({ settings: waiting }, "changed settings wait for a restart");
        log.info({}, "configuration reloaded");
        await announce();
        const close = () => void old.sources.close();
        setTimeout(close, old.config.scan.timeoutMs + closeMarginMs).unref();
      } catch (error) {
        log.error({ err: error }, "configuration refused, the running one stays");
      }
    },
    close: () => current.sources.close(),
  };
}

async function listen(
  { server: { listen: address, socketMode } }: Config,
  tls: ServerSettings["tls"],
  respond: (request: Request, peer: Peer) => Promise<Response>,
) {
  try {
    return await startServer({ listen: address, socketMode, tls }, respond);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown reason";
    throw new CommandError(exitCodes.failed, `cannot listen on the address of server.listen: ${reason}`);
  }
}

async function sweepOnce(config: Config, open: OpenStore, log: Log): Promise<void> {
  try {
    const { sweepLeftovers } = await import("../leftovers.ts");
    const paths = sweepLeftovers(config, open);
    if (paths.length > 0) log.info({ paths }, "removed what killed processes left behind");
  } catch (error) {
    log.error({ err: error }, "what killed processes left behind could not be removed");
  }
}

/** A trigger of somebody else runs with every change that xpose makes. */
async function checkSchema({ store }: OpenStore, log: Log): Promise<void> {
  const faults = await store.schemaFaults().catch(() => []);
  if (faults.length > 0) log.error({ faults }, "the database holds what xpose did not make");
}

function keepRetention(
  { store }: OpenStore,
  settings: Omit<Retention, "signal">,
  keptRow: () => number | null,
  log: Log,
): { stop: () => void } {
  const abort = new AbortController();
  const retention = { ...settings, signal: abort.signal };
  let isSweeping = false;
  const sweep = async () => {
    if (isSweeping) return;
    isSweeping = true;
    try {
      const rowCount = await removeExpired(store, retention);
      if (rowCount > 0) log.info({ rows: rowCount }, "expired rows removed");
      const eventCount = await removeOldEvents(store, keptRow, commandAuthor, retention);
      if (eventCount > 0) log.info({ events: eventCount }, "audit events past their retention removed");
    } catch (error) {
      log.error({ err: error }, "expired rows could not be removed");
    } finally {
      isSweeping = false;
    }
  };
  const first = setTimeout(() => void sweep(), firstRetentionMs);
  const timer = setInterval(() => void sweep(), retentionEveryMs);
  return {
    stop() {
      clearTimeout(first);
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
