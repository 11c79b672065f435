import { durationText } from "../domain/duration.ts";
import type { ConfiguredSource } from "../sources/source-set.ts";
import type { Config, ExaminedConfig } from "./config.ts";
import { joinPath, shown } from "./error.ts";
import { type DeclaredSource, type DeclaredTable, nameOf } from "./file.ts";
import { commonKeysOf, commonTable, corpusTable, defaultsOf, sectionTables, topTable } from "./tables.ts";

/** A setting in effect. */
export type Setting = {
  /** With its table: `server.listen`, `sources.http.intranet.url`. */
  readonly key: string;
  /** As the file gives it, secrets hidden and URLs cut to their origin. Null without a value and a default. */
  readonly value: unknown;
  /** `default`, the path of the file, the name of a variable, a flag, or a credential. */
  readonly from: string;
};

type Examined = Pick<ExaminedConfig, "tables" | "file"> & { readonly config: Config };

/** All settings in effect, in the order of the documentation, and where each comes from. */
export function effectiveSettings({ config, tables, file }: Examined): Setting[] {
  const { top, sections, corpus, sources } = tables;
  const of = (table: DeclaredTable, defaults: ReadonlyMap<string, unknown>) => settingsOf(table, defaults, file);
  return [
    ...of(top, defaultsOf(topTable)).map((setting) =>
      setting.key === "secret_file" ? secretFile(setting, config) : setting,
    ),
    ...Object.values(sections).flatMap((table) =>
      of(table, defaultsOf(sectionTables[table.path as keyof typeof sections])),
    ),
    ...of(corpus, defaultsOf(corpusTable)),
    ...sources.flatMap((source) => of(source, defaultsOfSource(source, config.sources))),
  ];
}

function settingsOf(
  { path, values, setBy }: DeclaredTable,
  defaults: ReadonlyMap<string, unknown>,
  file: string | null,
): Setting[] {
  return [...defaults].map(([name, fallback]) => {
    const key = joinPath(path, name);
    const isGiven = values[name] !== undefined;
    const from = setBy.get(name) ?? (isGiven && file !== null ? file : "default");
    return { key, value: visible(key, isGiven ? values[name] : fallback), from };
  });
}

/** Its default depends on the service manager and the data directory. */
function secretFile(setting: Setting, config: Config): Setting {
  if (setting.value !== null) return setting;
  const from = config.isSecretCredential ? "credential xpose_secret" : "default";
  return { ...setting, value: config.secretFile, from };
}

function defaultsOfSource(source: DeclaredSource, configured: readonly ConfiguredSource[]): Map<string, unknown> {
  const { kind } = source;
  const common = defaultsOf(commonTable);
  const defaults = new Map(
    commonKeysOf(kind)
      .filter((key) => key !== "name")
      .map((key) => [key, common.get(key) ?? null]),
  );
  const used = configured.find(({ name }) => name === nameOf(source));
  if (used !== undefined) {
    const { timeoutMs, pace, confidence, origin, baseUrl } = used;
    defaults.set("timeout", durationText(timeoutMs));
    defaults.set("rate", pace === null ? null : `${pace.count}/${durationText(pace.windowMs)}`);
    defaults.set("confidence", confidence).set("origin", origin);
    if (defaults.has("headers")) defaults.set("headers", null);
    if (defaults.has("base_url")) defaults.set("base_url", baseUrl);
  }
  return new Map([...defaults, ...defaultsOf(kind.settings)]);
}

/** A value that may be shown to anybody who administers the machine. */
function visible(key: string, value: unknown): unknown {
  if (value === null || typeof value === "number" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map((item: unknown) => visible(key, item));
  const text = shown(key, value);
  return text.startsWith('"') && text.endsWith('"') ? JSON.parse(text) : text;
}
