import { any } from "./any.ts";
import { combo } from "./combo.ts";
import { csv } from "./csv.ts";
import { dehashed } from "./dehashed.ts";
import { anyFormat, type Format, type FormatName } from "./format.ts";
import { hibpDomain } from "./hibp-domain.ts";
import { jsonl } from "./jsonl.ts";
import { list } from "./list.ts";
import { stealer } from "./stealer.ts";
import { ulp } from "./ulp.ts";

/** All formats by name. */
export const formats: Readonly<Record<FormatName, Format>> = {
  csv: anyFormat(csv),
  jsonl: anyFormat(jsonl),
  combo: anyFormat(combo),
  ulp: anyFormat(ulp),
  stealer: anyFormat(stealer),
  list: anyFormat(list),
  "hibp-domain": anyFormat(hibpDomain),
  dehashed: anyFormat(dehashed),
  any,
};
