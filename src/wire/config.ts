import * as z from "zod/mini";
import { text } from "./scalar.ts";
import type { Shape } from "./shape.ts";

/** The report of `config check` and `config reload`: one text for each fault. */
export const configReport = z.strictObject({ ok: z.boolean(), faults: z.array(text), warnings: z.array(text) });
export type ConfigReport = Shape<typeof configReport>;

const plainValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** The report of `config show`. */
export const settingList = z.array(
  z.strictObject({ key: text, value: z.union([plainValue, z.array(plainValue)]), from: text }),
);
export type SettingList = Shape<typeof settingList>;
