import type { EmailAddress } from "../../domain/email.ts";
import { isSensitiveSite } from "../../domain/sensitive-site.ts";
import { noFields, type RecordDefaults } from "../record.ts";
import { commonDefaults, type ReadRecord } from "./format.ts";

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

/**
 * The record of a login at a site, which may be unknown. A sensitive site is dropped before anything is stored
 * (docs/contract.md 11.6b); the fact that the address is in stealer logs is kept.
 */
export function loginRecord(address: EmailAddress | null, site: string | null): ReadRecord {
  if (address === null) return "invalid_email";
  return { address, fields: site === null || isSensitiveSite(site) ? noFields : { subject: site }, droppedCount: 0 };
}
