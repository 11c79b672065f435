import { Command } from "commander";
import type { Config } from "../config.ts";
import { timestamp } from "../domain/envelope.ts";
import { SourceError, type SourceErrorReason } from "../domain/error.ts";
import { parseIndicator } from "../domain/indicator.ts";
import type { Outcome } from "../domain/scan.ts";
import type { Source } from "../sources/source.ts";
import type { SourceRunRecord } from "../store/store.ts";
import type { CatalogueBody, ListedSource, SourceCheck, SourceChecks, SourceListing } from "../wire/source.ts";
import { type OpenStore, openSources, readCatalogueState } from "../wiring.ts";
import { entropy, type GlobalOptions, readConfig, withStore } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { type Output, printResult, table } from "./output.ts";

/** What `check` asks about: an address that belongs to nobody (RFC 2606). */
const probe = parseIndicator("email", "xpose-check@example.com");

/** What an operator can do about each reason. */
const advice: Record<SourceErrorReason, string> = {
  not_configured: "the service says that its API is not open to this installation; see the service's own page",
  auth: "the key was refused; put a valid one into api_key or api_key_file",
  rate_limited: "the quota is used up; wait, or lower the rate",
  timeout: "no answer in time; check the network, or raise timeout",
  unreachable: "no connection; check base_url, DNS, the firewall and outbound.proxy",
  tls: "the certificate was refused; put the CA of the service or proxy into outbound.ca_file",
  http_4xx: "the request was refused on its way; check base_url and the proxy's rules",
  http_5xx: "the service has a fault of its own; try again later",
  redirect: "the service points elsewhere, which is never followed; put its final address into base_url",
  too_large: "the answer is larger than any real one; check base_url",
  bad_answer: "the answer is not what this service sends; check base_url, and whether a proxy or a login page answers",
  not_installed: "the program is missing; install it, or name its interpreter",
  unsupported: "the service cannot be asked about such an address",
  internal: "an error of xpose; see the log",
};

export function sourcesCommand(output: Output): Command {
  const sources = new Command("sources").description("what can be asked, and how it fares");

  sources
    .command("list")
    .description("Lists the sources with their state and how the last scan fared with them.")
    .addHelpText("after", "\nExample:\n  xpose sources list")
    .action(async (_options: object, command: Command) => {
      const config = readConfig(command, output);
      await withStore(config, async ({ store }) => {
        const lastRuns = new Map((await store.lastSourceRuns()).map((run) => [run.source, run]));
        const corpora = (await store.listCorpora()).map(({ name }) => name);
        const catalogue = catalogueOf(config);
        const bodies = listed(config, corpora).map((source): ListedSource => {
          const more: Pick<ListedSource, "catalogue"> = source.kind === "hibp" ? { catalogue } : {};
          return { ...source, ...lastOutcome(lastRuns.get(source.name)), ...more };
        });
        const header = ["NAME", "KIND", "STATE", "LAST OUTCOME", "ERROR", "AT", "NOT IN PLAN", "QUOTA LEFT"];
        const rows = bodies.map((body) => [
          body.name,
          body.kind,
          body.state,
          body.last_outcome,
          body.last_error,
          body.last_at,
          body.missing.join(", ") || null,
          body.quota_left,
        ]);
        const notes = bodies.some(({ kind }) => kind === "hibp") ? `\n${describeCatalogue(catalogue)}` : "";
        const { json = false } = command.optsWithGlobals<GlobalOptions>();
        printResult<SourceListing>(output, json, bodies, table(header, rows) + notes);
      });
    });

  sources
    .command("check")
    .description("Asks each enabled source once about an address that belongs to nobody, and says what is wrong.")
    .argument("[name]", "only this source")
    .addHelpText("after", "\nExample:\n  xpose sources check hibp")
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const config = readConfig(command, output, { sourceSecrets: true });
      await withStore(config, async (open) => {
        const corpora = await open.store.listCorpora();
        const known = listed(
          config,
          corpora.map((corpus) => corpus.name),
        );
        if (name !== undefined && !known.some((source) => source.name === name)) {
          throw new CommandError(exitCodes.notFound, "there is no source of that name");
        }
        const { checks } = await askSources(config, open, name);
        const ok = checks.every((result) => result.ok);
        const text = checks.map((result) => `${result.ok ? "ok  " : "FAIL"}  ${result.name}: ${result.message}`);
        printResult<SourceChecks>(
          output,
          command.optsWithGlobals<GlobalOptions>().json ?? false,
          { ok, sources: checks },
          text.join("\n") || "No source is enabled.",
        );
        if (!ok) throw new CommandError(exitCodes.failed, "a source failed");
      });
    });

  return sources;
}

/** Asks every enabled source once, or the one of this name, and says which corpora a source of their name keeps out. */
export async function askSources(config: Config, open: OpenStore, name?: string) {
  const corpora = await open.store.listCorpora();
  const sources = openSources(config, open, entropy.now);
  try {
    const asked = sources.everySource(corpora).filter((source) => name === undefined || source.name === name);
    const leftOut = corpora.map((corpus) => corpus.name).filter((corpus) => sources.sourceNames.has(corpus));
    return { checks: await Promise.all(asked.map(check)), leftOut };
  } finally {
    await sources.close();
  }
}

type KnownSource = Pick<ListedSource, "name" | "kind" | "state">;

/** Configured sources, then corpora. */
function listed(config: Config, corpora: readonly string[]): KnownSource[] {
  const configured = config.sources.map(({ name, kind, isEnabled, isInternal }): KnownSource => {
    const state = !isEnabled ? "disabled" : config.offline && !isInternal ? "offline" : "enabled";
    return { name, kind, state };
  });
  const taken = new Set(config.sources.filter(({ isEnabled }) => isEnabled).map(({ name }) => name));
  const state = (name: string): KnownSource["state"] =>
    config.corpus.isEnabled && !taken.has(name) ? "enabled" : "disabled";
  return [...configured, ...corpora.map((name) => ({ name, kind: "corpus", state: state(name) }))];
}

function lastOutcome(run: SourceRunRecord | undefined): Omit<ListedSource, keyof KnownSource | "catalogue"> {
  return {
    last_outcome: run?.outcome ?? null,
    last_error: run?.error ?? null,
    last_at: run === undefined ? null : timestamp(run.endedAt),
    missing: run?.missing ?? [],
    quota_left: run?.quotaLeft ?? null,
  };
}

/** What is known of the public breach list that `hibp` and all names of leaks go by. */
function catalogueOf(config: Config): CatalogueBody {
  const { breachCount, asOf, error } = readCatalogueState(config, entropy.now);
  return { breaches: breachCount, as_of: asOf === null ? null : timestamp(asOf), error };
}

function describeCatalogue({ breaches, as_of, error }: CatalogueBody): string {
  const known = as_of === null ? "none yet" : `${breaches} breaches as of ${as_of}`;
  return `Breach catalogue: ${known}${error === null ? "" : `; ${error}`}`;
}

async function check(source: Source): Promise<SourceCheck> {
  const { name, kind, timeoutMs } = source;
  const result = (ok: boolean, outcome: Outcome, error: SourceErrorReason | null, message: string): SourceCheck => {
    return { name, kind, ok, outcome, error, message };
  };
  if (!source.isAllowed) return result(true, "skipped", null, "skipped while offline");
  const limits = { signal: AbortSignal.timeout(timeoutMs), deadline: new Date(Date.now() + timeoutMs) };
  try {
    const { findings, missing = [] } = await source.lookup(probe, limits);
    const lacks = missing.length === 0 ? "" : `; the plan lacks ${missing.join(", ")}`;
    return result(true, findings.length > 0 ? "ok" : "no_data", null, `answers${lacks}`);
  } catch (error) {
    const reason = error instanceof SourceError ? error.reason : "internal";
    const detail = error instanceof Error ? error.message : "unknown error";
    return result(false, "failed", reason, `${reason}: ${detail}; ${advice[reason]}`);
  }
}
