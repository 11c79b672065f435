import type * as z from "zod/mini";
import { joinPath } from "../../src/config/error.ts";
import { commonKeysOf, corpusTable, sectionTables, shapeOf, topTable, webhookTable } from "../../src/config/tables.ts";
import { sourceKinds } from "../../src/sources/registry.ts";

/** All keys that a configuration may hold, with their table: `server.listen`, `sources.http.url`. */
export function settingKeys(): string[] {
  const own = (path: string, schema: z.ZodMiniType) => Object.keys(shapeOf(schema)).map((key) => joinPath(path, key));
  return [
    ...own("", topTable),
    ...Object.entries(sectionTables).flatMap(([name, schema]) => own(name, schema)),
    ...own("webhook", webhookTable),
    ...own("sources.corpus", corpusTable),
    ...sourceKinds.flatMap((kind) => [
      ...commonKeysOf(kind).map((key) => joinPath("sources", kind.kind, key)),
      ...own(joinPath("sources", kind.kind), kind.settings),
    ]),
  ];
}
