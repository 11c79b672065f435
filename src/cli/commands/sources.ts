import { Command } from "commander";
import type { Config } from "../../config/config.ts";
import type { OpenStore } from "../../data-directory/data-directory.ts";
import { SourceError, type SourceErrorReason, type TlsFault } from "../../domain/error.ts";
import { type Indicator, parseIndicator } from "../../domain/indicator.ts";
import { noSourceAdvice } from "../../domain/no-source.ts";
import type { Outcome, SourceRunRecord } from "../../domain/scan.ts";
import { timestamp } from "../../domain/time.ts";
import { entropy } from "../../entropy.ts";
import { readCatalogueState } from "../../service/breach-catalogue.ts";
import { openSources } from "../../service/open-sources.ts";
import { hasCatalogue } from "../../sources/registry.ts";
import type { Source, SourceReply } from "../../sources/source.ts";
import type { CatalogueBody, ListedSource, SourceCheck, SourceChecks, SourceListing } from "../../wire/source.ts";
import { type GlobalOptions, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { type Output, printResult, table } from "../output.ts";

/** The address for `check`. It belongs to nobody (RFC 2606). */
const probe = parseIndicator("email", "xpose-check@example.com");

/** A random address that no service can know. */
function stranger(): Indicator {
  return parseIndicator("email", `xpose-check-${entropy.newId()}@example.com`);
}

/** The remedy for each kind of TLS failure. */
const tlsAdvice: Record<TlsFault, string> = {
  unknown_authority: "put the CA of the service, or of the proxy that inspects TLS, into outbound.ca_file",
  expired: "renew the certificate of the service, and check the clock of this machine",
  wrong_name: "use a host name from the certificate in the URL, or give the service a certificate for this name",
  no_tls: "check the port of the URL; plain http is for services inside the perimeter, with internal = true",
  client_certificate: "set client_cert and client_key of the source to a certificate that the service accepts",
  other: "check which TLS versions and ciphers the service supports",
};

/** The remedy for each other reason. */
const advice: Record<Exclude<SourceErrorReason, "tls">, string> = {
  not_configured: "the service does not offer its API to this installation; see the documentation of the service",
  auth: "the key was refused; put a valid one into api_key or api_key_file",
  rate_limited: "the quota is used up; wait, or lower the rate",
  timeout: "no answer in time; check the network, or raise timeout",
  unreachable: "no connection; check base_url, DNS, the firewall and outbound.proxy",
  http_4xx: "the service or a proxy refused the request; check base_url and the rules of the proxy",
  http_5xx: "the service has an error; try again later",
  redirect: "xpose never follows redirects; put the final URL of the service into base_url",
  too_large: "the answer is larger than any real answer; check base_url",
  bad_answer: "this is not an answer of the service; check base_url, and whether a proxy or a login page answers",
  not_installed: "the program is missing; install it, or name its interpreter",
  unsupported: "the service does not support this address",
  tlp: "the mark of the question forbids to ask it; see scan.max_tlp_outside",
  internal: "an error of xpose; see the log",
};

/** Remedies for kinds that do not ask one service with a base URL. */
const adviceOfKind: Readonly<Record<string, Partial<Record<SourceErrorReason, string>>>> = {
  holehe: {
    rate_limited: "the sites ask this machine to slow down; wait",
    timeout: "no answer in time; check DNS, the firewall and outbound.proxy",
    unreachable: "no connection; check DNS, the firewall and outbound.proxy",
    tls: "the certificates were refused; put the CA of a proxy that inspects TLS into outbound.ca_file",
    http_4xx: "a proxy or filter refused the requests; check its rules",
    http_5xx: "the proxy or the sites have an error; try again later",
    redirect: "a login page or a filter answers instead of the sites; let this machine pass it",
    bad_answer:
      "a block page or a login page answers instead of the sites, or holehe is too old; open a site, update holehe",
    not_installed: "install holehe with its dependencies, or set python to the interpreter of its environment",
  },
};

export function sourcesCommand(output: Output): Command {
  const sources = new Command("sources").description("sources of evidence, and their state");

  sources
    .command("list")
    .description("Lists the sources with their state and the result of their last scan.")
    .addHelpText("after", "\nExample:\n  xpose sources list")
    .action(async (_options: object, command: Command) => {
      const config = readConfig(command, output);
      await withStore(config, async ({ store }) => {
        const lastRuns = new Map((await store.lastSourceRuns()).map((run) => [run.source, run]));
        const corpora = (await store.listCorpora()).map(({ name }) => name);
        const catalogue = catalogueOf(config);
        const bodies = listed(config, corpora).map((source): ListedSource => {
          const more: Pick<ListedSource, "catalogue"> = hasCatalogue(source.kind) ? { catalogue } : {};
          return { ...source, ...lastOutcome(lastRuns.get(source.name)), ...more };
        });
        const header = ["NAME", "KIND", "STATE", "LAST OUTCOME", "ERROR", "AT", "MISSING", "QUOTA LEFT"];
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
        const notes = bodies.some(({ kind }) => hasCatalogue(kind)) ? `\n${describeCatalogue(catalogue)}` : "";
        const { json = false } = command.optsWithGlobals<GlobalOptions>();
        if (!bodies.some(({ state }) => state !== "disabled")) output.err(`warning: ${noSourceAdvice}\n`);
        printResult<SourceListing>(output, json, bodies, table(header, rows) + notes);
      });
    });

  sources
    .command("check")
    .description("Asks each enabled source about an address that belongs to nobody, and explains every failure.")
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
          throw new CommandError(exitCodes.notFound, "there is no source with this name");
        }
        const { checks } = await askSources(config, open, name);
        const ok = checks.every((result) => result.ok);
        const text = checks.map((result) => `${result.ok ? "ok  " : "FAIL"}  ${result.name}: ${result.message}`);
        printResult<SourceChecks>(
          output,
          command.optsWithGlobals<GlobalOptions>().json ?? false,
          { ok, sources: checks },
          text.join("\n") || noSourceAdvice,
        );
        if (!ok) throw new CommandError(exitCodes.failed, "a source failed");
      });
    });

  return sources;
}

/** Asks every enabled source once, or only `name`. `leftOut` are the corpora that share their name with a source. */
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

/** The state of the public breach list, which `hibp` and the names of leaks depend on. */
function catalogueOf(config: Config): CatalogueBody {
  const { breachCount, asOf, error } = readCatalogueState(config, entropy.now);
  return { breaches: breachCount, as_of: asOf === null ? null : timestamp(asOf), error };
}

function describeCatalogue({ breaches, as_of, error }: CatalogueBody): string {
  const known = as_of === null ? "none yet" : `${breaches} breaches as of ${as_of}`;
  return `Breach catalogue: ${known}${error === null ? "" : `; ${error}`}`;
}

async function check(source: Source): Promise<SourceCheck> {
  const { name, kind } = source;
  const result = (ok: boolean, outcome: Outcome, error: SourceErrorReason | null, message: string): SourceCheck => {
    return { name, kind, ok, outcome, error, message };
  };
  if (!source.isAllowed) return result(true, "skipped", null, "skipped while offline");
  try {
    const reply = await ask(source, probe);
    const { findings, missing = [] } = reply;
    const gaps = missing.length === 0 ? "" : `; missing: ${missing.join(", ")}`;
    const doubt = reply.isNotFound === true ? await doubtOf(source) : "";
    return result(true, findings.length > 0 ? "ok" : "no_data", null, `answers${gaps}${doubt}`);
  } catch (error) {
    const reason = error instanceof SourceError ? error.reason : "internal";
    const detail = error instanceof Error ? error.message : "unknown error";
    return result(false, "failed", reason, `${reason}: ${detail}; ${adviceOn(kind, error)}`);
  }
}

function ask(source: Source, indicator: Indicator): Promise<SourceReply> {
  const { timeoutMs } = source;
  const limits = { signal: AbortSignal.timeout(timeoutMs), deadline: new Date(Date.now() + timeoutMs) };
  return source.lookup(indicator, limits);
}

/**
 * A 404 for the probe may mean that the service does not know the address, or that the URL is wrong. When a second
 * address also gets a 404, the operator is warned, because only the operator can tell the two apart.
 */
async function doubtOf(source: Source): Promise<string> {
  if ((await ask(source, stranger())).isNotFound !== true) return "";
  return (
    "; every address that was asked about gets a 404, which may also mean a wrong URL: check its URL; " +
    'to remove this doubt, let the service answer 200 {"findings":[]} for unknown addresses'
  );
}

function adviceOn(kind: string, error: unknown): string {
  if (!(error instanceof SourceError)) return advice.internal;
  const { reason, tlsFault } = error;
  return adviceOfKind[kind]?.[reason] ?? (reason === "tls" ? tlsAdvice[tlsFault ?? "other"] : advice[reason]);
}
