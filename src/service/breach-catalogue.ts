import { join } from "node:path";
import type { Config } from "../config/config.ts";
import type { HttpClient } from "../egress/client.ts";
import { type CatalogueState, openCatalogue, readBreachNames } from "../sources/breach-catalogue.ts";
import { hibp } from "../sources/hibp.ts";
import type { ConfiguredSource } from "../sources/source-set.ts";

/** The known state of the public breach list. Makes no request. */
export function readCatalogueState(config: Config, now: () => Date): CatalogueState {
  return openBreachCatalogue(config, null, now).state();
}

/** The names in the copy of the public breach list on this machine; see `readBreachNames`. */
export function readLeakNames(config: Config) {
  const source = config.sources.find(({ kind }) => kind === hibp.kind);
  return readBreachNames({ file: catalogueFile(source), cacheFile: join(config.dataDir, cacheFileName) });
}

const cacheFileName = "hibp-breaches.json";

function catalogueFile(source: ConfiguredSource | undefined): string | null {
  return ((source?.settings ?? {}) as { catalogue?: string | null }).catalogue ?? null;
}

/** The public breach list comes with `hibp`: from its file, or from its service unless xpose is offline. */
export function openBreachCatalogue(
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
