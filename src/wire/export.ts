import * as z from "zod/mini";

/** docs/pipeline.md 18.1. */
export const exportFormat = z.enum(["stix", "misp", "ocsf", "ecs", "csv", "markdown"]);

/** Traffic Light Protocol 2.0, from open to closed (docs/pipeline.md 16.2). */
export const tlp = z.enum(["clear", "green", "amber", "amber+strict", "red"]);
