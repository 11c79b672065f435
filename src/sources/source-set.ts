import type { CorpusLibrary } from "../corpus/library.ts";
import { canonicalJson } from "../domain/canonical-json.ts";
import type { Corpus } from "../domain/corpus.ts";
import { SourceError } from "../domain/error.ts";
import { type Finding, resolveSubjects } from "../domain/finding.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import type { Pace } from "../domain/pace.ts";
import { withoutSensitiveSites } from "../domain/sensitive-finding.ts";
import { compareText } from "../domain/text.ts";
import { foldName, type Workspace, type WorkspaceId } from "../domain/workspace.ts";
import type { ChildRunner } from "../egress/child.ts";
import type { HttpClient } from "../egress/client.ts";
import type { Catalogue } from "./breach-catalogue.ts";
import { corpusSources } from "./corpus.ts";
import { sourceKinds } from "./registry.ts";
import type { Source, SourceKind } from "./source.ts";

/** A source in the configuration, parsed. */
export type ConfiguredSource = {
  readonly name: string;
  readonly kind: string;
  readonly isEnabled: boolean;
  readonly baseUrl: string | null;
  readonly apiKey: string | null;
  readonly timeoutMs: number;
  readonly pace: Pace | null;
  readonly confidence: number;
  readonly origin: string;
  /** Ids or names of the workspaces that may use it; null = all. */
  readonly workspaces: readonly string[] | null;
  readonly isInternal: boolean;
  /** Paths of the client certificate and its key; both or neither. */
  readonly clientCert: string | null;
  readonly clientKey: string | null;
  /** Sent with every request, before the headers of the kind. */
  readonly headers: Readonly<Record<string, string>>;
  /** The settings, parsed by the schema of the kind. */
  readonly settings: unknown;
  /** Canonical JSON of all settings except `timeout` and `rate`, secrets included. It is only hashed. */
  readonly fingerprintText: string;
};

export type SourceSettings = {
  readonly sources: readonly ConfiguredSource[];
  readonly corpus: { readonly isEnabled: boolean; readonly timeoutMs: number };
  /** No connection leaves the machine, except to sources marked internal. */
  readonly offline: boolean;
};

export type SourceTools = {
  readonly keys: DerivedKeys;
  readonly library: CorpusLibrary;
  readonly catalogue: Catalogue;
  /** Runs the programs of a kind, with the concurrency the kind allows. */
  readonly childFor: (kind: SourceKind) => ChildRunner;
  /** A client that keeps the pace of a source for the calls of one scan. */
  readonly httpFor: (
    source: ConfiguredSource,
    kind: SourceKind,
    workspaceId: WorkspaceId,
    deadline: Date,
  ) => HttpClient;
};

type Who = Pick<Workspace, "id" | "name">;

export type SourceSet = {
  /**
   * Keyed hash of the settings of all sources available to a workspace. If it is equal, an earlier result may be
   * reused.
   */
  readonly fingerprintOf: (workspace: Who) => string;
  /** True when no source but corpora is asked for a workspace. */
  readonly asksCorporaOnly: (workspace: Who) => boolean;
  /**
   * The sources available to a workspace, including one per visible corpus. Also closes the segments of removed
   * corpora.
   */
  readonly sourcesOf: (workspace: Who, corpora: readonly Corpus[]) => Source[];
  /** Every enabled source and every corpus, regardless of workspace. */
  readonly everySource: (corpora: readonly Corpus[]) => Source[];
  /** Names of enabled sources. A corpus with such a name is left out. */
  readonly names: ReadonlySet<string>;
};

/** Binds the configured sources to their adapters. Opens no connection; the first look-up does. */
export function openSourceSet({ sources, corpus, offline }: SourceSettings, tools: SourceTools): SourceSet {
  const enabled = sources
    .filter((source) => source.isEnabled)
    .sort((a, b) => compareText(a.name, b.name))
    // Hashed once, because every scan needs it.
    .map((source) => ({ ...source, fingerprint: keyedHash(tools.keys.settings, source.fingerprintText) }));
  const names: ReadonlySet<string> = new Set(enabled.map((source) => source.name));
  /** Sources whose operator has allowed sensitive sites. */
  const showsSensitive: ReadonlySet<string> = new Set(
    enabled.filter((source) => kindOf(source).allowsSensitive?.(source.settings) === true).map(({ name }) => name),
  );
  const visibleTo = (workspace: Who) => enabled.filter((source) => maySee(source, workspace));
  const isOutside = (source: ConfiguredSource) => kindOf(source).isOnline && !source.isInternal;
  const isAllowed = (source: ConfiguredSource) => !offline || !isOutside(source);

  function bind(source: (typeof enabled)[number], workspaceId: WorkspaceId): Source {
    const { name, kind, baseUrl, apiKey, confidence, origin, fingerprint, timeoutMs, pace, settings } = source;
    const adapter = kindOf(source);
    return {
      name,
      kind,
      confidence,
      origin,
      timeoutMs,
      pace,
      isOutside: isOutside(source),
      fingerprint,
      isAllowed: isAllowed(source),
      lookup: (indicator, { signal, deadline }) => {
        const http = tools.httpFor(source, adapter, workspaceId, deadline);
        const { catalogue } = tools;
        return adapter.lookup(indicator, {
          name,
          baseUrl,
          apiKey,
          settings,
          http,
          child: tools.childFor(adapter),
          catalogue,
          signal,
          deadline,
        });
      },
    };
  }

  /** Resolves the names of leaks to domains with the catalogue, for every source. */
  const aliased = (source: Source): Source => ({
    ...source,
    ...aliasedMany(source),
    async lookup(indicator, limits) {
      const reply = await source.lookup(indicator, limits);
      const findings = resolveSubjects(reply.findings, tools.catalogue.aliases);
      // Only after aliasing is the site known. Corpora drop sensitive sites at import.
      const isShown = source.kind === "corpus" || showsSensitive.has(source.name);
      return { ...reply, findings: isShown ? findings : withoutSensitiveSites(findings) };
    },
  });

  function aliasedMany({ lookUpMany }: Source): Pick<Source, "lookUpMany"> {
    if (lookUpMany === undefined) return {};
    return {
      async *lookUpMany(indicators, limits) {
        // Many answers of a corpus are the same one.
        const known = new WeakMap<readonly Finding[], readonly Finding[]>();
        const resolve = (findings: readonly Finding[]) => {
          const resolved = known.get(findings) ?? resolveSubjects(findings, tools.catalogue.aliases);
          known.set(findings, resolved);
          return resolved;
        };
        for await (const piece of lookUpMany(indicators, limits)) {
          yield piece.map(({ at, result }) => ({
            at,
            result: result instanceof SourceError ? result : resolve(result),
          }));
        }
      },
    };
  }

  // Cached: the settings of this set never change, and every call needs the fingerprint.
  const fingerprints = new Map<string, string>();

  const corporaFrom = (corpora: readonly Corpus[]) =>
    corpusSources(
      corpora.filter(({ name }) => corpus.isEnabled && !names.has(name)),
      corpus.timeoutMs,
      tools,
    );

  return {
    names,
    fingerprintOf(workspace) {
      const known = fingerprints.get(`${workspace.id} ${workspace.name}`);
      if (known !== undefined) return known;
      // Includes whether a source is skipped: a result found offline must not pass as complete.
      const seen = visibleTo(workspace).map((source) => [source.fingerprintText, isAllowed(source)]);
      const fingerprint = keyedHash(tools.keys.settings, canonicalJson([corpus.isEnabled, seen]));
      fingerprints.set(`${workspace.id} ${workspace.name}`, fingerprint);
      return fingerprint;
    },
    asksCorporaOnly: (workspace) => visibleTo(workspace).every((source) => !isAllowed(source)),
    sourcesOf(workspace, corpora) {
      tools.library.closeUnlisted(corpora);
      const visible = corpora.filter(({ scope }) => scope === null || scope === workspace.id);
      return [...visibleTo(workspace).map((source) => bind(source, workspace.id)), ...corporaFrom(visible)].map(
        aliased,
      );
    },
    everySource(corpora) {
      return [...enabled.map((source) => bind(source, "check" as WorkspaceId)), ...corporaFrom(corpora)].map(aliased);
    },
  };
}

function kindOf({ kind }: ConfiguredSource): SourceKind {
  const adapter = sourceKinds.find((candidate) => candidate.kind === kind);
  if (adapter === undefined) throw new Error(`no adapter for the kind ${kind}`);
  return adapter;
}

/** Whether a workspace may use a source. An unknown workspace name never means "all". */
function maySee({ workspaces }: ConfiguredSource, { id, name }: Who): boolean {
  return workspaces === null || workspaces.some((entry) => entry === id || foldName(entry) === foldName(name));
}
