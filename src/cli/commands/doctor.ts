import { existsSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { compareHead, headProblem } from "../../access/audit-head.ts";
import { type Config, checkServeSettings } from "../../config/config.ts";
import { isDiskFull, type OpenStore, openStore } from "../../data-directory/data-directory.ts";
import { findLeftovers } from "../../data-directory/leftovers.ts";
import { isServing } from "../../data-directory/locks.ts";
import { diskFullText } from "../../domain/disk-fault.ts";
import { timestamp } from "../../domain/time.ts";
import { entropy } from "../../entropy.ts";
import { strangeForwardsMetric } from "../../service/metrics.ts";
import { type Certificate, readTls } from "../../service/tls.ts";
import type { DoctorReport } from "../../wire/service.ts";
import { becomeOwner, type GlobalOptions, readConfig } from "../context.ts";
import { CommandError, exitCodes, explain } from "../exit.ts";
import { type Output, printResult } from "../output.ts";
import { askSources } from "./sources.ts";

type Check = DoctorReport["checks"][number];

/** Below this the next import or a busy day may fill the disk. */
const leastFreeBytes = 256 * 1024 ** 2;
/** Tolerated lag of the clock behind stored events: two writing processes read the clock at different moments. */
const clockToleranceMs = 60_000;
const serviceTimeoutMs = 3_000;

export function doctorCommand(output: Output): Command {
  return new Command("doctor")
    .description("Checks configuration, data directory, disk, clock, sources and service, and explains every problem.")
    .addHelpText("after", "\nExample:\n  xpose doctor --data-dir /var/lib/xpose")
    .action(async (_options: object, command: Command) => {
      const checks = await examine(command, output);
      const ok = checks.every((check) => check.ok);
      const lines = checks.map((check) => `${check.ok ? "ok  " : "FAIL"}  ${check.name}: ${check.message}`);
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      printResult<DoctorReport>(output, json, { ok, checks }, lines.join("\n"));
      if (!ok) throw new CommandError(exitCodes.failed, "at least one check failed");
    });
}

/** Runs the checks in order. A check that depends on a failed one is `not checked`, which also counts as failed. */
async function examine(command: Command, output: Output): Promise<Check[]> {
  const { config, hasSecrets, check } = examineConfiguration(command, output);
  if (config === null) {
    const rest = ["data directory", "disk", "clock", "sources", "service"];
    return [check, ...rest.map((name) => notChecked(name, "configuration"))];
  }
  let open: OpenStore;
  try {
    becomeOwner(config.dataDir);
    open = openStore(config, "command");
  } catch (error) {
    return [
      check,
      bad("data directory", explain(error).message),
      examineDisk(config),
      notChecked("clock", "data directory"),
      notChecked("sources", "data directory"),
      notChecked("service", "data directory"),
    ];
  }
  try {
    return [
      check,
      await examineDataDir(config, open),
      examineDisk(config),
      await examineClock(open),
      hasSecrets ? await survey("sources", () => examineSources(config, open)) : notChecked("sources", "configuration"),
      await survey("service", () => examineService(config)),
    ];
  } finally {
    open.store.close();
  }
}

/** Checks the settings like `serve`. When only the key of a source is missing, the other checks still run. */
function examineConfiguration(command: Command, output: Output) {
  const name = "configuration";
  let config: Config | null = null;
  let hasSecrets = false;
  try {
    config = readConfig(command, output, { sourceSecrets: true });
    hasSecrets = true;
    // No environment: serve refuses variables of its own environment, which is not the one of this command.
    checkServeSettings(config, {});
    return { config, hasSecrets, check: examineCertificate(readTls(config)) };
  } catch (error) {
    const check = bad(name, explain(error).message);
    if (config !== null) return { config, hasSecrets, check };
    try {
      return { config: readConfig(command, { ...output, err: () => undefined }), hasSecrets, check };
    } catch {
      return { config: null, hasSecrets, check };
    }
  }
}

/** The files of a certificate were read; its time is left to check. */
function examineCertificate(certificate: Certificate | null): Check {
  const name = "configuration";
  if (certificate === null) return good(name, "can be used");
  const end = timestamp(certificate.notAfter);
  const hasExpired = certificate.notAfter.getTime() <= entropy.now().getTime();
  if (hasExpired) return bad(name, `server.tls_cert: the certificate expired at ${end}`);
  return good(name, `can be used; the certificate expires at ${end}`);
}

async function examineDataDir(config: Config, open: OpenStore): Promise<Check> {
  const { dataDir, secretFile, isSecretInDataDir } = config;
  const name = "data directory";
  const mine = isSecretInDataDir ? [dataDir, secretFile] : [dataDir];
  const exposed = mine.filter((path) => (statSync(path).mode & 0o077) !== 0);
  if (exposed.length > 0) return bad(name, `other users have access to ${exposed.join(" and ")}; run chmod go= on it`);
  return await survey(name, async () => {
    const corpora = await open.store.listCorpora();
    const files = new Set(corpora.flatMap(({ segments }) => segments.map(({ file }) => file)));
    const missing = [...files].filter((file) => !existsSync(join(open.corporaDir, file)));
    if (missing.length > 0) return bad(name, `${missing.length} files of corpora are missing; see xpose corpus verify`);
    const lost = headProblem(await compareHead(open.store, open.headFile));
    const faults = [
      ...(lost === null
        ? []
        : [`the head of the audit trail is lost in ${open.headFile}: ${lost}; see xpose audit verify`]),
      ...(await open.store.schemaFaults()).map((fault) => `in the database ${fault}; restore a backup, or repair it`),
    ];
    if (faults.length > 0) return bad(name, faults.join("; "));
    const left = await findLeftovers(config, open);
    const notes =
      left.length === 0 ? [] : [`a killed command left ${left.join(", ")}; the next start of xpose serve removes it`];
    return good(name, [`${dataDir} can be read and written`, ...notes].join("; "));
  });
}

function examineDisk({ dataDir }: Config): Check {
  const name = "disk";
  try {
    const { bavail, blocks, bsize, files, ffree } = statfsSync(dataDir);
    const free = bavail * bsize;
    const text = `${gibibytes(free)} of ${gibibytes(blocks * bsize)} GiB free`;
    if (isDiskFull(dataDir)) return bad(name, `${diskFullText(dataDir)} (${free} bytes are free)`);
    if (files > 0 && ffree === 0)
      return bad(name, `${text}, but no file can be created: the file system has no free inodes`);
    return free < leastFreeBytes ? bad(name, `${text}; that is too little`) : good(name, text);
  } catch {
    return notChecked(name, "data directory");
  }
}

/** Compares the clock with the newest stored event instead of asking an NTP server. */
async function examineClock({ store }: OpenStore): Promise<Check> {
  const name = "clock";
  const now = entropy.now();
  return await survey(name, async () => {
    const { row } = await store.auditHead();
    const [newest] = await store.readChain(row - 1, 1);
    const at = newest?.event?.at ?? null;
    if (at === null || at.getTime() - now.getTime() <= clockToleranceMs) return good(name, timestamp(now));
    return bad(name, `it shows ${timestamp(now)}, but the newest event of the audit trail is from ${timestamp(at)}`);
  });
}

async function examineSources(config: Config, open: OpenStore): Promise<Check> {
  const name = "sources";
  const { checks, leftOut } = await askSources(config, open);
  const failed = checks.filter(({ ok }) => !ok);
  const skipped = checks.filter(({ outcome }) => outcome === "skipped");
  const notes = [
    ...failed.map((check) => `${check.name}: ${check.message}`),
    ...(checks.length === 0 ? ["no source is enabled, so every scan fails; import a corpus or add a source"] : []),
    ...(checks.length > 0 && failed.length === 0 ? [`${checks.length - skipped.length} answer`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} skipped while offline`] : []),
    ...leftOut.map((corpus) => `the corpus ${corpus} is left out: a source has the same name`),
  ];
  return { name, ok: failed.length === 0, message: notes.join("; ") };
}

async function examineService(config: Config): Promise<Check> {
  const name = "service";
  if (!isServing(config.dataDir)) return good(name, "does not run");
  const { listen, tlsCert } = config.server;
  const scheme = tlsCert === null ? "http" : "https";
  const place = listen.kind === "unix" ? "localhost" : `${reachable(listen.host)}:${listen.port}`;
  const shown = listen.kind === "unix" ? `unix:${listen.path}` : `${scheme}://${place}`;
  const ask = (path: string) =>
    fetch(`${scheme}://${place}${path}`, {
      signal: AbortSignal.timeout(serviceTimeoutMs),
      ...(listen.kind === "unix" ? { unix: listen.path } : {}),
      // We connect to this machine by address, which does not match the name in the certificate.
      tls: { rejectUnauthorized: false },
    });
  try {
    const { status } = await ask("/readyz");
    if (status !== 200) return bad(name, `answers ${status} at ${shown}`);
    return (await hasStrangeForwards(ask)) ? bad(name, strangeForwards) : good(name, `ready at ${shown}`);
  } catch {
    return good(name, `runs, but does not answer at ${shown}; maybe it was started with --listen`);
  }
}

const strangeForwards =
  "a proxy that server.trusted_proxies does not name forwards requests: all its clients count as one address in the audit " +
  "trail and for log-ins";

/** The count since the start of the service. False when its metrics may not be read from here: then nothing is known. */
async function hasStrangeForwards(ask: (path: string) => Promise<Response>): Promise<boolean> {
  const metrics = await (await ask("/metrics")).text();
  return new RegExp(`^${strangeForwardsMetric} [1-9]`, "m").test(metrics);
}

/** An address that stands for all of this machine is asked on the loopback. */
function reachable(host: string): string {
  const address = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return address.includes(":") ? `[${address}]` : address;
}

function gibibytes(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1);
}

/** Runs a check. An exception becomes a failed check, so that the next check still runs. */
async function survey(name: string, check: () => Promise<Check>): Promise<Check> {
  return await check().catch((error: unknown) => bad(name, explain(error).message));
}

function good(name: string, message: string): Check {
  return { name, ok: true, message };
}

function bad(name: string, message: string): Check {
  return { name, ok: false, message };
}

function notChecked(name: string, cause: string): Check {
  return bad(name, `not checked, see ${cause}`);
}
