import type { RecordDefaults } from "../record.ts";
import { commonDefaults } from "./format.ts";

/** Defaults for records of stealer logs. A record without a site is about any site. */
export function infostealerDefaults(corpus: string): RecordDefaults {
  return {
    ...commonDefaults(corpus),
    severity: "high",
    category: "infostealer",
    subject: "any-infostealer",
    title: `Credentials in ${corpus}`,
    subjectTitle: { before: "Credentials for ", after: ` in ${corpus}` },
  };
}
