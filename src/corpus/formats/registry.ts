import { combo } from "./combo.ts";
import { csv } from "./csv.ts";
import type { Format, FormatName } from "./format.ts";
import { jsonl } from "./jsonl.ts";

/** All formats, one line each. */
export const formats = { csv, jsonl, combo } as const satisfies Partial<Record<FormatName, Format>>;
