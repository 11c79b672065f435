import type { Config } from "../config/config.ts";
import { openLibrary } from "../corpus/library.ts";
import type { OpenStore } from "../data-directory/data-directory.ts";
import { temporaryDirOf } from "../data-directory/layout.ts";
import { asksToWait } from "../egress/answer.ts";
import { openChildRunner } from "../egress/child.ts";
import type { HttpClient } from "../egress/client.ts";
import type { Live } from "../scans/live.ts";
import { openTurns } from "../scans/pace.ts";
import { sourceKinds } from "../sources/registry.ts";
import type { SourceKind } from "../sources/source.ts";
import { openSourceSet, type SourceSet } from "../sources/source-set.ts";
import type { Webhook } from "../webhooks/send.ts";
import { openBreachCatalogue } from "./breach-catalogue.ts";
import { openClients, readPem } from "./open-clients.ts";

export type OpenSources = {
  readonly live: Live;
  /** Keyed fingerprints of the settings of the enabled sources, by name. */
  readonly fingerprints: ReadonlyMap<string, string>;
  /** Receivers of events that are enabled. */
  readonly webhooks: readonly Webhook[];
  readonly everySource: SourceSet["everySource"];
  /** Names of enabled sources. A corpus with such a name is left out. */
  readonly sourceNames: ReadonlySet<string>;
  /** Closes connections and files. Scans that still use them fail. */
  readonly close: () => Promise<void>;
};

/**
 * Opens the sources and settings that scans use, as one whole from a configuration. Opens no connection; the first
 * look-up does. Throws `ConfigError` for a CA file or proxy that cannot be used.
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
    maxFindings: scan.maxFindings,
    watch: config.watch,
    maxTlpOutside: scan.maxTlpOutside,
    fingerprintOf: sources.fingerprintOf,
    asksCorporaOnly: sources.asksCorporaOnly,
    sourcesOf: sources.sourcesOf,
  });
  return {
    live,
    fingerprints: new Map(sources.everySource([]).map(({ name, fingerprint }) => [name, fingerprint])),
    webhooks: openWebhooks(config, clients.shared),
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
/** Search path for programs of sources. Fixed, so that it does not depend on who starts xpose. */
const programPath = "/usr/local/bin:/usr/bin:/bin";

function openWebhooks({ webhooks, offline }: Config, http: HttpClient): Webhook[] {
  return webhooks
    .filter(({ isEnabled }) => isEnabled)
    .map(({ name, url, secrets, workspaces, types, isThin, isInternal }) => {
      return { name, url, secrets, workspaces, types, isThin, isAllowed: !offline || isInternal, http };
    });
}
