import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { BackupError } from "./backup/error.ts";
import { type Config, ConfigError } from "./config.ts";
import { openLibrary } from "./corpus/library.ts";
import { diskFault, diskFullText, isOutOfSpace } from "./domain/disk-fault.ts";
import { type DerivedKeys, deriveKeys, keyedHash } from "./domain/keyed-hash.ts";
import { asksToWait } from "./egress/answer.ts";
import { openChildRunner } from "./egress/child.ts";
import { leftChildHomes, sweepChildHomes } from "./egress/child-home.ts";
import { type HttpClient, openHttpClient } from "./egress/client.ts";
import { lockFolder } from "./egress/folder-lock.ts";
import type { Live } from "./scans/live.ts";
import { openTurns } from "./scans/pace.ts";
import { type CatalogueState, openCatalogue, readBreachNames } from "./sources/catalogue.ts";
import { hibp } from "./sources/hibp.ts";
import { sourceKinds } from "./sources/registry.ts";
import type { SourceKind } from "./sources/source.ts";
import { type ConfiguredSource, openSourceSet, type SourceSet } from "./sources/source-set.ts";
import type { DatabaseStore } from "./store/port/database.ts";
import type { Store } from "./store/port/store.ts";
import { type Lock, takeLock } from "./store/sqlite/lock.ts";
import { currentVersion, MigrationError } from "./store/sqlite/migrate.ts";
import { openReserve, type Reserve } from "./store/sqlite/reserve.ts";
import { type FoundDatabase, SqliteStore } from "./store/sqlite/store.ts";
import { version } from "./version.ts";

/** Why a data directory cannot be used: not initialised, refused as it is, or out of reach. */
export type DataDirProblem = "uninitialised" | "refused" | "inaccessible";

export class DataDirError extends Error {
  override readonly name = "DataDirError";
  readonly problem: DataDirProblem;

  constructor(problem: DataDirProblem, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.problem = problem;
  }
}

/**
 * The database library could not be loaded: the runtime unpacks it to a temporary folder, and the system forbids to
 * execute what lies there. A restart with `BUN_TMPDIR` in the data directory helps.
 */
export class LibraryError extends Error {
  override readonly name = "LibraryError";
  /** A folder that may serve instead. */
  readonly temporaryDir: string;
  readonly #dataDir: string;

  constructor(dataDir: string, options: { cause: unknown }) {
    super("the database library cannot be loaded; set BUN_TMPDIR to a private folder that allows execution", options);
    this.#dataDir = dataDir;
    this.temporaryDir = join(dataDir, temporaryFolder);
  }

  /** Makes that folder; on a full disk the reserve makes room for the library. */
  prepare(): void {
    openReserve(this.#dataDir).giveUp();
    mkdirSync(this.temporaryDir, { recursive: true, mode: 0o700 });
  }
}

export type OpenStore = {
  readonly store: Store;
  readonly keys: DerivedKeys;
  readonly corporaDir: string;
  /** Where a copy of the audit trail's head is kept: beside the secret, unless that comes from the service manager. */
  readonly headFile: string;
  /** Held shared by every import, and exclusively by whoever deletes files that no row names. */
  readonly lockCorpora: (mode: "exclusive" | "shared") => Lock | null;
  /** Space of the disk that is held free. */
  readonly reserve: Reserve;
  /** The schema version of before, when it was brought up to date just now. */
  readonly upgradedFrom: number | null;
};

type Place = Pick<Config, "dataDir" | "secretFile" | "isSecretInDataDir" | "isSecretCredential">;

/**
 * Creates a data directory: the server secret unless one is given from outside, the database, the folder of the
 * corpora. Throws `DataDirError` `refused` when the directory is not empty, `inaccessible` when it cannot be written.
 */
export function createDataDir(config: Place, randomBytes: (count: number) => Uint8Array): OpenStore {
  const { dataDir, secretFile } = config;
  return reaching(dataDir, () => {
    loadLibrary();
    mkdirSync(checkedUnused(dataDir, "init"), { recursive: true, mode: 0o700 });
    chmodSync(dataDir, 0o700);
    if (!existsSync(secretFile)) {
      writeFileSync(secretFile, `${Buffer.from(randomBytes(32)).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
    }
    const keys = deriveKeys(readSecret(config));
    mkdirSync(join(dataDir, corporaFolder), { mode: 0o700 });
    const reserve = openReserve(dataDir);
    reserve.tend();
    const store = SqliteStore.create(dataDir, secretCheck(keys), keys.audit, reserve);
    return { ...placesOf(config), store, keys, reserve, upgradedFrom: null };
  });
}

/**
 * Opens an initialised data directory. Throws `DataDirError`, with what is wrong and what to do. The service holds a
 * lock that keeps a second one out until its process ends, and it alone may migrate an older directory.
 */
export function openStore(config: Place, role: "service" | "command"): OpenStore {
  const { dataDir } = config;
  return reaching(dataDir, () => {
    if (existsSync(dataDir)) accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    const reserve = openReserve(dataDir);
    const opened = reserve.spare(() => openLocked(config, role, reserve));
    return { ...placesOf(config), ...opened, reserve };
  });
}

/** Lets go of the lock of the service when the database cannot be opened. */
function openLocked(config: Place, role: "service" | "command", reserve: Reserve) {
  const locks: Lock[] = [];
  try {
    return SqliteStore.open(config.dataDir, (found) => admit(config, role, found, locks), { reserve });
  } catch (error) {
    for (const lock of locks) lock.release();
    throw error;
  }
}

/** True while the disk of a data directory has no room for a small change. */
export function isDiskFull(dataDir: string): boolean {
  return openReserve(dataDir).isFull();
}

export type BackupPlace = Pick<OpenStore, "keys" | "corporaDir" | "headFile" | "lockCorpora"> & {
  readonly store: Pick<DatabaseStore, "backup">;
};

/** Opens an initialised data directory to copy it, as it is, whatever version of xpose wrote it. Throws `DataDirError`. */
export function openForBackup(config: Place): BackupPlace {
  const { dataDir } = config;
  return reaching(dataDir, () => {
    const keys = admit(config, "backup", SqliteStore.inspect(dataDir));
    return { ...placesOf(config), store: SqliteStore.copyFrom(dataDir), keys };
  });
}

/** The schema of databases that this program writes; it reads older ones too. */
export const schemaVersion = currentVersion;
/** Corpora of databases before this schema cannot be read any more: an upgrade drops them. */
const firstVersionWithSegments = 3;

/** Excludes other processes as long as this one lives, or until it is released; null when one is ahead. */
export function takeExclusiveLock(path: string): Lock | null {
  return takeLock(path, "exclusive");
}

/**
 * The keys of a data directory that is to be restored. `secret` is the text that the backup holds; without one the secret
 * must lie where the configuration says. Throws `DataDirError` `refused` when it cannot be had, or is another one than
 * that of the configuration.
 */
export function restoredKeys(config: Place, secret: string | null): DerivedKeys {
  const { dataDir, secretFile, isSecretInDataDir } = config;
  return reaching(dataDir, () => {
    loadLibrary();
    if (secret === null && isSecretInDataDir) {
      const message = "the backup holds no secret, because it lay outside the data directory; set secret_file to it";
      throw new DataDirError("refused", message);
    }
    const given = isSecretInDataDir || (secret !== null && !existsSync(secretFile)) ? null : readSecret(config);
    const held = secret === null ? given : secretFrom(secret);
    if (held === null) throw new DataDirError("refused", "the backup does not hold a secret of 64 hex digits");
    if (given !== null && !given.equals(held)) {
      throw new DataDirError("refused", `the secret in ${secretFile} is another one than that of the backup`);
    }
    return deriveKeys(held);
  });
}

/**
 * Checks in full a database that was copied to a folder, and opens it, brought up to date. Throws `BackupError` `failed`
 * when it is damaged or belongs to another secret.
 */
export function openCopiedDatabase(folder: string, keys: DerivedKeys): Store {
  return reaching(folder, () => {
    checkCopy(folder);
    return SqliteStore.open(folder, admitCopy(keys), { isAlone: true }).store;
  });
}

/**
 * Checks in full a database that was copied to a folder, and opens it to read from it. One of an older version stays as it
 * is: what is opened is a further copy, brought up to date. Throws as `openCopiedDatabase`, and `refused` for a version
 * whose corpora would not be in the backup.
 */
export function inspectCopiedDatabase(folder: string, keys: DerivedKeys): { store: Store; version: number } {
  return reaching(folder, () => {
    checkCopy(folder);
    const version = SqliteStore.versionIn(folder);
    if (version < firstVersionWithSegments) {
      throw new BackupError("refused", "the data directory is too old to be backed up; start xpose serve once");
    }
    const readable = version === currentVersion ? folder : furtherCopy(folder);
    const { store } = SqliteStore.open(readable, admitCopy(keys), { isAlone: true, isTemporary: true });
    return { store, version };
  });
}

function checkCopy(folder: string): void {
  const fault = SqliteStore.faultIn(folder);
  if (fault !== null) throw new BackupError("failed", `the database is damaged: ${fault}`);
}

function admitCopy(keys: DerivedKeys): (found: FoundDatabase) => DerivedKeys {
  return ({ state, secretCheck: expected }) => {
    if ((state === "ready" || state === "older") && expected === secretCheck(keys)) return keys;
    throw new BackupError("failed", "the database is not one of this secret and version");
  };
}

function furtherCopy(folder: string): string {
  const further = join(folder, "upgraded");
  mkdirSync(further, { mode: 0o700 });
  SqliteStore.copyClosed(folder, further);
  return further;
}

/**
 * Returns a data directory that is not there or empty; `lost+found` and what is left of a killed restore do not count.
 * Throws `DataDirError` `refused` for another one.
 */
export function checkedUnused(dataDir: string, command: "init" | "restore"): string {
  const found = statSync(dataDir, { throwIfNoEntry: false });
  if (found?.isDirectory() === false) throw new DataDirError("refused", `${dataDir} exists and is no directory`);
  const names = found === undefined ? [] : readdirSync(dataDir);
  const ignored = ["lost+found", ...(command === "restore" ? [unfinishedRestore] : [])];
  if (names.every((name) => ignored.includes(name) || isUnpackedLibrary(dataDir, name))) return dataDir;
  if (names.includes(unfinishedRestore) && SqliteStore.inspect(dataDir).state === "absent") {
    throw new DataDirError("refused", `${dataDir} is half restored; empty it and run xpose restore again`);
  }
  const want = `xpose ${command} wants an empty directory or a new one`;
  throw new DataDirError("refused", `${dataDir} is not empty; ${want}`);
}

/** The library says only when it is first used that the system does not let it run. */
function loadLibrary(): void {
  SqliteStore.inMemory(new Uint8Array(32)).close();
}

/**
 * The keys of a data directory that may be opened for `role`; the service has its lock then, which `locks` names. Throws
 * `DataDirError`, with what is wrong and what to do.
 */
function admit(
  config: Place,
  role: "service" | "command" | "backup",
  { state, secretCheck: expected }: FoundDatabase,
  locks: Lock[] = [],
): DerivedKeys {
  const { dataDir } = config;
  if (state === "absent" && existsSync(join(dataDir, unfinishedRestore))) {
    throw new DataDirError("refused", `${dataDir} is half restored; empty it and run xpose restore again`);
  }
  if (state === "absent" && !isBegun(dataDir)) {
    throw new DataDirError("uninitialised", `${dataDir} is not initialised; run xpose init --data-dir ${dataDir}`);
  }
  if (state === "absent" || state === "unfinished") {
    throw new DataDirError("refused", `${dataDir} is half initialised; empty it and run xpose init again`);
  }
  if (state === "newer") {
    throw new DataDirError("refused", `${dataDir} was written by a newer version of xpose; run that version`);
  }
  if (state === "older" && role === "command") {
    throw new DataDirError(
      "refused",
      `${dataDir} was written by an older version; start xpose serve once to upgrade it (xpose backup --older copies it as it is)`,
    );
  }
  const keys = deriveKeys(readSecret(config));
  if (secretCheck(keys) !== expected) {
    throw new DataDirError("refused", `the secret in ${config.secretFile} does not belong to ${dataDir}`);
  }
  if (role === "service") locks.push(...lockService(dataDir));
  // A restore that was killed at its very end, when all was in its place.
  if (role === "service") rmSync(join(dataDir, unfinishedRestore), { recursive: true, force: true });
  return keys;
}

/**
 * The locks that keep a second service out: that of a file, which older versions know, and that of the folder itself, which
 * holds although the file is deleted. Tries again for a moment: `isServing` may just be asking.
 */
function lockService(dataDir: string): Lock[] {
  for (let left = lockTries; left > 0; left -= 1) {
    const folder = lockFolder(dataDir, "exclusive");
    const file = folder === null ? null : takeLock(join(dataDir, serviceLock), "exclusive");
    if (folder !== null && file !== null) return [folder, file];
    folder?.release();
    Bun.sleepSync(lockPauseMs);
  }
  throw new DataDirError("inaccessible", `another xpose serve runs on ${dataDir}, or its file system has no locks`);
}

const [lockTries, lockPauseMs] = [5, 20];

/** True while a service runs on the data directory. It takes the locks for a moment. */
export function isServing(dataDir: string): boolean {
  const folder = lockFolder(dataDir, "shared");
  folder?.release();
  if (folder === null) return true;
  const path = join(dataDir, serviceLock);
  if (!existsSync(path)) return false;
  const lock = takeLock(path, "shared");
  lock?.release();
  return lock === null;
}

export type OpenSources = {
  readonly live: Live;
  /** Keyed fingerprints of the settings of the enabled sources, by name. */
  readonly fingerprints: ReadonlyMap<string, string>;
  readonly everySource: SourceSet["everySource"];
  /** Names of enabled sources; a corpus of such a name is left out. */
  readonly sourceNames: ReadonlySet<string>;
  /** Closes connections and files. Scans that still use them fail. */
  readonly close: () => Promise<void>;
};

/**
 * The sources and settings that scans use, built whole from a configuration. Opens no connection: the first look-up
 * does. Throws `ConfigError` for a CA file or proxy that cannot be used.
 */
export function openSources(config: Config, { store, keys, corporaDir }: OpenStore, now: () => Date): OpenSources {
  const { cache, scan, outbound } = config;
  const library = openLibrary(corporaDir, { keys, store });
  const extraCa = readPem("outbound.ca_file", outbound.caFile);
  const clients = openClients(config, extraCa);
  const turns = openTurns(store, now);
  const homesIn = temporaryDirOf(config);
  const runners = new Map(
    sourceKinds.map((kind) => {
      const { proxy, noProxy } = outbound;
      const maxConcurrent = kind.maxConcurrent ?? 1;
      return [kind, openChildRunner({ path: programPath, proxy, noProxy, extraCa, homesIn, maxConcurrent, now })];
    }),
  );
  const catalogue = openBreachCatalogue(config, clients.of, now);
  const sources = openSourceSet(config, {
    keys,
    library,
    catalogue,
    childFor: (kind) => runners.get(kind) ?? unreachableKind(kind),
    httpFor(source, kind, workspaceId, deadline) {
      const { name, pace } = source;
      const { isThrottled = asksToWait } = kind;
      return turns.clientFor(clients.of(source), { name, pace, isThrottled }, workspaceId, deadline);
    },
  });
  const live: Live = Object.freeze({
    lifetimes: { cacheTtlMs: cache.ttlMs, partialTtlMs: cache.partialTtlMs, retentionMs: scan.retentionMs },
    limits: config.rateLimit,
    maxQueue: scan.maxQueue,
    concurrency: scan.concurrency,
    scanTimeoutMs: scan.timeoutMs,
    ledgerRetentionMs: scan.ledgerRetentionMs,
    fingerprintOf: sources.fingerprintOf,
    sourcesOf: sources.sourcesOf,
  });
  return {
    live,
    fingerprints: new Map(sources.everySource([]).map(({ name, fingerprint }) => [name, fingerprint])),
    everySource: sources.everySource,
    sourceNames: sources.names,
    async close() {
      await Promise.all([clients.close(), library.close()]);
    },
  };
}

function unreachableKind({ kind }: SourceKind): never {
  throw new Error(`the kind ${kind} is not registered`);
}

/** What is known of the public breach list, without asking anybody. */
export function readCatalogueState(config: Config, now: () => Date): CatalogueState {
  return openBreachCatalogue(config, null, now).state();
}

/** The names of the public breach list, as far as this machine has it; see `readBreachNames`. */
export function readLeakNames(config: Config) {
  const source = config.sources.find(({ kind }) => kind === hibp.kind);
  return readBreachNames({ file: catalogueFile(source), cacheFile: join(config.dataDir, cacheFileName) });
}

const cacheFileName = "hibp-breaches.json";

function catalogueFile(source: ConfiguredSource | undefined): string | null {
  return ((source?.settings ?? {}) as { catalogue?: string | null }).catalogue ?? null;
}

/** The public breach list comes with `hibp`: its file, or its service unless xpose is offline. */
function openBreachCatalogue(
  config: Config,
  clientOf: ((source: ConfiguredSource) => HttpClient) | null,
  now: () => Date,
) {
  const source = config.sources.find(({ kind, isEnabled }) => kind === hibp.kind && isEnabled);
  return openCatalogue({
    file: catalogueFile(source),
    cacheFile: join(config.dataDir, cacheFileName),
    baseUrl: source?.baseUrl ?? hibp.defaultBaseUrl ?? "",
    http: source === undefined || clientOf === null || config.offline ? null : clientOf(source),
    now,
  });
}

/**
 * The clients that sources are asked with: one for all, and one more for each client certificate, since a connection
 * that was opened with one is that of its owner alone. `of` adds the headers of the source.
 */
function openClients({ outbound, sources }: Config, extraCa: string | null) {
  const byCertificate = new Map<string, ReturnType<typeof openOutboundClient>>();
  const certificateOf = ({ clientCert, clientKey }: ConfiguredSource) => `${clientCert}\n${clientKey}`;
  const shared = openOutboundClient(outbound, extraCa, null);
  for (const source of sources) {
    const { isEnabled, clientCert, clientKey } = source;
    if (!isEnabled || clientCert === null || clientKey === null) continue;
    byCertificate.set(certificateOf(source), openOutboundClient(outbound, extraCa, source));
  }
  return {
    of(source: ConfiguredSource): HttpClient {
      const client = byCertificate.get(certificateOf(source)) ?? shared;
      const { headers } = source;
      if (Object.keys(headers).length === 0) return client;
      return {
        request: (request) => client.request({ ...request, headers: { ...request.headers, ...headers } }),
      };
    },
    async close(): Promise<void> {
      await Promise.all([shared, ...byCertificate.values()].map((client) => client.close()));
    },
  };
}

/** `owner` is the source whose client certificate is shown. Throws `ConfigError`. */
function openOutboundClient(
  { proxy, noProxy, caFile }: Config["outbound"],
  extraCa: string | null,
  owner: ConfiguredSource | null,
) {
  const clientCertificate =
    owner === null
      ? null
      : {
          cert: readPem(settingOf(owner, "client_cert"), owner.clientCert) ?? "",
          key: readPem(settingOf(owner, "client_key"), owner.clientKey) ?? "",
        };
  try {
    return openHttpClient({ userAgent: `xpose/${version}`, proxy, noProxy, extraCa, clientCertificate });
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown reason";
    if (owner !== null) {
      const want = `a PEM certificate, with its own key in client_key (${reason})`;
      throw new ConfigError(settingOf(owner, "client_cert"), owner.clientCert, want);
    }
    if (extraCa === null)
      throw new ConfigError("outbound.proxy", `got (hidden), want a proxy that can be used (${reason})`);
    throw new ConfigError("outbound.ca_file", caFile, `a file with PEM certificates (${reason})`);
  }
}

function settingOf({ kind, name }: ConfiguredSource, key: string): string {
  return `sources.${kind === name ? kind : `${kind}.${name}`}.${key}`;
}

function readPem(key: string, file: string | null): string | null {
  try {
    return file === null ? null : readFileSync(file, "utf8");
  } catch {
    throw new ConfigError(key, file, "a PEM file that can be read");
  }
}

const corporaFolder = "corpora";
const serviceLock = "service.lock";
/** Holds what a restore has not finished. */
export const unfinishedRestore = "restore.unfinished";
/** See `temporaryDirOf`. */
const temporaryFolder = "tmp";
/** Where programs that sources run are looked for: the same whoever starts xpose. */
const programPath = "/usr/local/bin:/usr/bin:/bin";

/** Holds homes of programs, the unpacked database library, and notes of backups. */
export function temporaryDirOf({ dataDir }: Pick<Place, "dataDir">): string {
  return join(dataDir, temporaryFolder);
}

/** Homes of programs that killed processes left. */
export function leftHomes(config: Pick<Place, "dataDir">): string[] {
  return leftChildHomes(temporaryDirOf(config));
}

/** Removes them; returns what was removed. */
export function sweepHomes(config: Pick<Place, "dataDir">): string[] {
  return sweepChildHomes(temporaryDirOf(config));
}

/** See `OpenStore`. */
export function headFileOf({ dataDir, secretFile, isSecretCredential }: Place): string {
  return join(isSecretCredential ? dataDir : dirname(secretFile), "audit.head");
}

/** As `lockService`, a file and the folder. */
function lockCorpora(dataDir: string, mode: "exclusive" | "shared"): Lock | null {
  const folder = lockFolder(join(dataDir, corporaFolder), mode);
  const file = folder === null ? null : takeLock(join(dataDir, "corpora.lock"), mode);
  if (folder === null || file === null) {
    folder?.release();
    return null;
  }
  return {
    release() {
      file.release();
      folder.release();
    },
  };
}

function placesOf(place: Place): Pick<OpenStore, "corporaDir" | "headFile" | "lockCorpora"> {
  const { dataDir } = place;
  return {
    corporaDir: join(dataDir, corporaFolder),
    headFile: headFileOf(place),
    lockCorpora: (mode) => lockCorpora(dataDir, mode),
  };
}

/** True for the temporary folder in which the runtime has unpacked the database library before the set-up. */
function isUnpackedLibrary(dataDir: string, name: string): boolean {
  return name === temporaryFolder && readdirSync(join(dataDir, name)).every((file) => file.startsWith(".bun-"));
}

/** True when a set-up has left something of xpose behind. */
function isBegun(dataDir: string): boolean {
  return ["secret.key", corporaFolder].some((name) => existsSync(join(dataDir, name)));
}

/** 32 bytes, written as 64 hex digits. */
function readSecret({ secretFile, dataDir, isSecretInDataDir }: Place): Buffer {
  if (isSecretInDataDir && !existsSync(secretFile)) {
    throw new DataDirError("refused", `${secretFile} is missing; ${dataDir} cannot be read without its secret`);
  }
  const text = isSecretInDataDir ? readFileSync(secretFile, "utf8") : readGivenSecret(secretFile);
  const secret = secretFrom(text);
  if (secret !== null) return secret;
  if (!isSecretInDataDir)
    throw new ConfigError("secret_file", "got (hidden), want a file with a secret of 64 hex digits");
  throw new DataDirError("refused", `${secretFile} does not hold a secret of 64 hex digits`);
}

function secretFrom(text: string): Buffer | null {
  return /^[0-9a-f]{64}$/i.test(text.trim()) ? Buffer.from(text.trim(), "hex") : null;
}

function readGivenSecret(secretFile: string): string {
  try {
    return readFileSync(secretFile, "utf8");
  } catch {
    throw new ConfigError("secret_file", secretFile, "a file that can be read");
  }
}

/** Stored in the database, so that a secret of another directory is refused before it makes every key unknown. */
function secretCheck(keys: DerivedKeys): string {
  return keyedHash(keys.check, "xpose data directory");
}

/** Turns the system's and the database's errors into one that names the directory. */
function reaching<Result>(dataDir: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const isOurs = error instanceof DataDirError || error instanceof ConfigError || error instanceof BackupError;
    if (isOurs || !(error instanceof Error)) throw error;
    if (error instanceof MigrationError) {
      const message = `${dataDir} cannot be upgraded, and was left as it was: ${error.message}`;
      throw new DataDirError("refused", message, { cause: error });
    }
    if ("code" in error && error.code === "ERR_DLOPEN_FAILED") throw new LibraryError(dataDir, { cause: error });
    if (isOutOfSpace(error)) throw new DataDirError("inaccessible", diskFullText(dataDir), { cause: error });
    const reason = diskFault(error);
    if (reason === null) throw error;
    throw new DataDirError("inaccessible", `${dataDir} cannot be read and written: ${reason}`, { cause: error });
  }
}
