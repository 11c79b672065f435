import type { EmailAddress } from "../../domain/email.ts";
import { isSensitiveSite } from "../../domain/sensitive-site.ts";
import { noFields, type RecordDefaults } from "../record.ts";
import { commonDefaults, type ReadRecord } from "./format.ts";

/** What holds for records of stealer logs; one that names no site is about any site. */
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
 * The record of a login at a site, which may be unknown. A site of a sensitive kind is dropped before anything is
 * stored (docs/contract.md 11.6b); that the address stands in stealer logs stays.
 */
export function loginRecord(address: EmailAddress | null, site: string | null): ReadRecord {
  if (address === null) return "invalid_email";
  return { address, fields: site === null || isSensitiveSite(site) ? noFields : { subject: site }, droppedCount: 0 };
}
