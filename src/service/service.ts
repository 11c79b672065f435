import { realpathSync } from "node:fs";
import { openAuditTrail } from "../access/audit.ts";
import type { Config } from "../config/config.ts";
import { type OpenStore, schemaVersion } from "../data-directory/data-directory.ts";
import { instanceId } from "../domain/instance-id.ts";
import { indicatorHash } from "../domain/keyed-hash.ts";
import type { ScanId } from "../domain/scan.ts";
import { entropy } from "../entropy.ts";
import { openBell } from "../event-loop/bell.ts";
import { openAccessLog } from "../http/access-log.ts";
import { makeTrust, type Peer } from "../http/caller.ts";
import { outcomeOf } from "../http/reply-response.ts";
import { routes } from "../http/route-table.ts";
import { createRouter } from "../http/router.ts";
import { startServer } from "../http/serve.ts";
import { openThrottle } from "../http/throttle.ts";
import type { TlsFiles } from "../http/tls-options.ts";
import { openWaits } from "../http/waits.ts";
import { openCalls } from "../scans/calls.ts";
import { Runner } from "../scans/runner.ts";
import { version } from "../version.ts";
import { keepWatch } from "../watch/keep-watch.ts";
import { keepDelivering } from "../webhooks/keep-delivering.ts";
import type { CertificateKeeper, CertificateTools } from "./certificate-keeper.ts";
import { openDashboard } from "./dashboard-facts.ts";
import { descriptorLimit } from "./descriptors.ts";
import { watchDisk } from "./disk-watch.ts";
import { keepMerged } from "./keep-merged.ts";
import { keepRetention } from "./keep-retention.ts";
import type { Log, LogOutput } from "./log.ts";
import type { LogSink } from "./log-sink.ts";
import { openMetrics } from "./metrics.ts";
import { openReplaceable } from "./reload.ts";
import type { Notifier } from "./systemd.ts";

/** After SIGTERM, scans get this time to end, at worst twice. */
const scanGraceMs = 2_000;
/** Clients that sent a request before they could notice the stop are answered for this time, at worst twice. */
const lingerMs = 1_000;
/** Time for answers that take longer. */
const answerGraceMs = 4_000;
/** The process ends after this time in any case, within the promised 10 s. */
const stopWithinMs = 9_000;
/** Waiting requests per key, and the share of all descriptors that waiting requests may hold. */
const waitsPerKey = 64;
const waitingShare = 1 / 2;
/** docs/contract.md 9.9. */
const logInsPerMinute = 10;
/** docs/pipeline.md 15.1. */
const whoamisPerMinute = 60;
/** Requests that waited for the start are answered before the first sweep. */
const firstSweepMs = 1_000;
/** Clients that wait for the start are answered first, because the first line loads the logging library. */
const announceAfterMs = 50;

export type Service = {
  readonly config: Config;
  readonly readAgain: () => Config;
  readonly tls: ServedTls | null;
  readonly open: OpenStore;
  readonly logOutput: LogOutput;
  /** The destination of the log. */
  readonly sink: LogSink;
  readonly onListening: (address: string) => void;
  readonly notifier: Notifier;
  readonly takeSignals: (handle: (meaning: "stop" | "reload", signal: string) => void) => void;
};

export type ServedTls = {
  readonly files: TlsFiles;
  readonly keep: (tools: Omit<CertificateTools, "read">) => CertificateKeeper;
};

/** Serves until it is told to stop, then stops in order. Throws when it cannot listen on `server.listen`. */
export async function serve({
  config,
  readAgain,
  tls,
  open,
  logOutput,
  sink,
  onListening,
  notifier,
  takeSignals,
}: Service): Promise<void> {
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
    logDroppedCount: sink.droppedCount,
    isDiskFull: () => disk.problem() !== null,
    isAuditHeadKept: () => !["lost", "not_continued"].includes(trail.headState()?.kind ?? ""),
    certificateNotAfter: () => certificate?.notAfter() ?? null,
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
  const eventBell = openBell();
  let onWatched: () => void = () => undefined;
  const accessLog = openAccessLog({
    write: sink.write,
    log,
    isPretty: logOutput.isPretty,
    isEnabled: () => log.isLevelEnabled("info"),
    now,
  });
  let isStrangeForwardTold = false;
  function countStrangeForward(address: string | null): void {
    metrics.countStrangeForward();
    if (isStrangeForwardTold) return;
    isStrangeForwardTold = true;
    log.warn({ peer: address }, "forwarding headers of a peer that server.trusted_proxies does not name are ignored");
  }
  let phase: "starting" | "serving" | "stopping" = "starting";
  const respond = createRouter(routes, {
    instance: instanceId(keys, realpathSync(config.dataDir)),
    keys,
    store,
    calls,
    trail,
    trust: makeTrust(config.server.trustedProxies, config.server.hostnames),
    logIns: openThrottle(logInsPerMinute, 60_000, steadyNow),
    whoamis: openThrottle(whoamisPerMinute, 60_000, steadyNow),
    publicUrl: config.server.publicUrl,
    hasGetLookUp: config.server.getLookUp,
    bulkLimit: config.server.bulkLimit,
    dashboard: openDashboard({ config, live: sources.live, metrics, now, steadyNow }),
    metrics: { ...metrics, countStrangeForward },
    waits: openWaits({ perHolder: waitsPerKey, total: Math.floor(descriptorLimit() * waitingShare) }),
    whenSettled: (scanId, timeoutMs, signal) => runner.whenSettled(scanId, timeoutMs, signal),
    eventBell,
    onWatched: () => onWatched(),
    newScanId: () => newId() as ScanId,
    hashOf: (indicator) => indicatorHash(keys, indicator),
    now,
    newId,
    randomBytes,
    steadyNow,
    phase: () => phase,
    diskProblem: disk.problem,
    accessLog,
    log,
  });
  const server = await listen(config, tls?.files ?? null, respond).catch(async (error: unknown) => {
    // They already run, and the database closes when this function ends.
    disk.stop();
    await Promise.allSettled([trail.stop(), sources.close()]);
    throw error;
  });
  const certificate = tls?.keep({ renew: server.renewTls, now, log }) ?? null;
  await runner.start();
  phase = "serving";
  onListening(server.address);
  notifier.ready();
  const told = Promise.withResolvers<string>();
  let onReloaded: () => Promise<void> = async () => undefined;
  takeSignals((meaning, signal) => {
    if (meaning === "stop") return told.resolve(signal);
    notifier.reloading();
    const reloading = sources
      .reload(readAgain)
      .then((isTaken) => (isTaken ? onReloaded() : undefined))
      .catch((error: unknown) => log.error({ err: error }, "a reload could not be completed"));
    void Promise.all([certificate?.look(), reloading]).finally(() => {
      notifier.ready();
      void tellStatus();
    });
  });
  const tellStatus = async () => {
    const text = await sources.describe().catch(() => "the database does not answer");
    if (phase === "serving") notifier.status(`serving at ${server.address}; ${text}`);
  };
  const announced = Bun.sleep(announceAfterMs)
    .then(() => {
      const { upgradedFrom: from } = open;
      if (from !== null) log.info({ from, to: schemaVersion }, "data directory upgraded");
      log.info({ listening: server.address }, "serving");
    })
    .then(sources.announce)
    .then(tellStatus)
    .catch((error: unknown) => log.error({ err: error }, "changed sources could not be written down"));
  const keptRow = () => {
    const state = trail.headState();
    return state?.kind === "kept" ? state.head.row : null;
  };
  const auditRetentionMs = config.audit.retentionMs;
  const retention = keepRetention(open, { live: sources.live, auditRetentionMs, now }, keptRow, log);
  const merging = keepMerged(open, log);
  const watching = keepWatch({
    store,
    keys,
    live: sources.live,
    now,
    newId,
    randomBytes,
    onEvents: eventBell.ring,
    onScan: () => runner.wake(),
    onRound: metrics.countWatchRound,
    log,
  });
  onWatched = watching.wake;
  const delivering = keepDelivering({
    store,
    keys,
    webhooks: sources.webhooks,
    bell: eventBell,
    now,
    random: () => Buffer.from(randomBytes(4)).readUInt32LE() / 2 ** 32,
    onAttempt: metrics.countWebhook,
    onLook: metrics.setWebhooks,
    log,
  });
  onReloaded = delivering.reloaded;
  const sweeping = setTimeout(() => {
    void sweepOnce(config, open, log);
    void checkSchema(open, log);
  }, firstSweepMs);

  const signal = await told.promise;
  const { drainDelayMs } = config.server;
  phase = "stopping";
  notifier.stopping(drainDelayMs + stopWithinMs);
  await announced;
  log.info({ signal }, "stopping");
  await certificate?.stop();
  disk.stop();
  clearTimeout(sweeping);
  // Load balancers notice that the service is not ready and stop sending requests.
  await Bun.sleep(drainDelayMs);
  setTimeout(() => endNow(log), stopWithinMs).unref();
  const housekeeping = Promise.all([retention.stop(), merging.stop(), watching.stop(), delivering.stop()]);
  // At the same time, because a client that waits for a scan is answered when the scans stop.
  const stopping = [runner.stop(scanGraceMs), server.stop({ lingerMs, graceMs: answerGraceMs })];
  for (const stopped of stopping) {
    await stopped.catch((error: unknown) => log.error({ err: error }, "could not stop in order"));
  }
  await housekeeping;
  await sources.close();
  await trail
    .stop()
    .catch((error: unknown) => log.error({ err: error }, "the audit trail could not be closed in order"));
  accessLog.flush();
  log.info({}, "stopped");
}

/** Ends the process at once. All replies are stored, and scans continue after the next start. */
function endNow(log: Log): void {
  log.error({}, "could not stop in time");
  process.exit(0);
}

async function listen(
  { server: { listen: address, socketMode } }: Config,
  tls: TlsFiles | null,
  respond: (request: Request, peer: Peer) => Promise<Response>,
) {
  try {
    return await startServer({ listen: address, socketMode, tls, descriptorLimit: descriptorLimit() }, respond);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown reason";
    throw new Error(`cannot listen on the address of server.listen: ${reason}`, { cause: error });
  }
}

async function sweepOnce(config: Config, open: OpenStore, log: Log): Promise<void> {
  try {
    const { sweepLeftovers } = await import("../data-directory/leftovers.ts");
    const paths = sweepLeftovers(config, open);
    if (paths.length > 0) log.info({ paths }, "removed what killed processes left behind");
  } catch (error) {
    log.error({ err: error }, "what killed processes left behind could not be removed");
  }
}

/** A trigger that xpose did not make would run with every change, so the log names it. */
async function checkSchema({ store }: OpenStore, log: Log): Promise<void> {
  const faults = await store.schemaFaults().catch(() => []);
  if (faults.length > 0) log.error({ faults }, "the database holds what xpose did not make");
}

/** The state after a stray error is unknown. A restart and durable scans are the recovery. */
export function dieOnStrayErrors(log: Log): void {
  const die = (error: unknown) => {
    log.fatal({ err: error }, "stray error, the service ends");
    process.exit(1);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
}
