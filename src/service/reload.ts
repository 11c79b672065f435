import { ownAuthor } from "../access/audit.ts";
import type { Config } from "../config/config.ts";
import type { OpenStore } from "../data-directory/data-directory.ts";
import { noSourceAdvice, noSourceText } from "../domain/no-source.ts";
import { entropy } from "../entropy.ts";
import type { Live } from "../scans/live.ts";
import type { LogOutput } from "./log.ts";
import { type OpenSources, openSources } from "./open-sources.ts";

/** A scan that still uses replaced settings may take this much longer than its time-out. */
const closeMarginMs = 5_000;

/**
 * The effect of a reload on each part of the configuration (docs/contract.md 12.2). `restart`: only a restart changes it,
 * and the log says so. `replaced`: the running service takes it over, through `openSources` or `reconfigure`.
 * `derived`: follows from a part that needs a restart.
 */
const onReload = {
  dataDir: "restart",
  secretFile: "restart",
  isSecretInDataDir: "derived",
  isSecretCredential: "derived",
  offline: "restart",
  server: "restart",
  audit: "restart",
  cache: "replaced",
  scan: "replaced",
  rateLimit: "replaced",
  outbound: "replaced",
  log: "replaced",
  sources: "replaced",
  corpus: "replaced",
  watch: "replaced",
  webhooks: "replaced",
} as const satisfies Record<keyof Config, "restart" | "replaced" | "derived">;

const fixedSettings = (Object.keys(onReload) as (keyof Config)[]).filter((key) => onReload[key] === "restart");

/**
 * Opens the settings and sources that SIGHUP replaces. A reload first builds a whole new set from the file and then
 * assigns one variable, so a turn or a scan never sees a mixture. A bad file changes nothing.
 */
export function openReplaceable(first: Config, open: OpenStore, { log, reconfigure }: LogOutput) {
  let current: { readonly config: Config; readonly sources: OpenSources } = {
    config: first,
    sources: openSources(first, open, entropy.now),
  };
  /** Why the last reload was refused. */
  let refusal: string | null = null;

  /**
   * Records in the audit trail which sources changed. Warns of workspaces that the configuration names and that do not
   * exist, and of corpora that are left out because a source has their name.
   */
  async function announce(): Promise<void> {
    const { config, sources } = current;
    await open.store.noteSources(sources.fingerprints, ownAuthor(entropy.now(), "ok"));
    for (const source of config.sources) {
      for (const workspace of source.workspaces ?? []) {
        if ((await open.store.findWorkspace(workspace)) !== null) continue;
        log.warn({ source: source.name, workspace }, "source names an unknown workspace");
      }
    }
    const corpora = await open.store.listCorpora();
    if (sources.everySource(corpora).length === 0) log.warn({}, noSourceAdvice);
    for (const { name } of corpora) {
      if (sources.sourceNames.has(name)) log.warn({ corpus: name }, "corpus is left out: a source has its name");
    }
  }

  return {
    live: (): Live => current.sources.live,
    webhooks: () => current.sources.webhooks,
    announce,
    /** What is served, for `systemctl status`. */
    async describe(): Promise<string> {
      const asked = current.sources.everySource(await open.store.listCorpora());
      const corpusCount = asked.filter(({ kind }) => kind === "corpus").length;
      const names = asked.filter(({ kind }) => kind !== "corpus").map(({ name }) => name);
      const online = names.length === 0 ? "" : `, ${names.join(", ")}`;
      const sources = asked.length === 0 ? noSourceText : `corpora: ${corpusCount}${online}`;
      return refusal === null ? sources : `${sources}; last reload refused: ${refusal}`;
    },
    /** False when the configuration was refused. */
    async reload(readAgain: () => Config): Promise<boolean> {
      try {
        const config = readAgain();
        const next = openSources({ ...config, offline: first.offline }, open, entropy.now);
        const old = current;
        current = { config, sources: next };
        refusal = null;
        reconfigure(config.log);
        const waiting = fixedSettings.filter((key) => !Bun.deepEquals(config[key], first[key]));
        if (waiting.length > 0) log.warn({ settings: waiting }, "changed settings wait for a restart");
        log.info({}, "configuration reloaded");
        await announce();
        const close = () => void old.sources.close();
        setTimeout(close, old.config.scan.timeoutMs + closeMarginMs).unref();
        return true;
      } catch (error) {
        refusal = error instanceof Error ? error.message : "unknown reason";
        log.error({ err: error }, "configuration refused, the running one stays");
        return false;
      }
    },
    close: () => current.sources.close(),
  };
}
