import * as z from "zod/mini";
import { count, milliseconds, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

const auditHead = text.check(z.describe("the end of the audit trail, N:HEX"));
const hasSecret = z.boolean().check(z.describe("true when the backup holds the server secret"));

/** The report of `backup`. */
export const backupReport = z.strictObject({
  file: text,
  bytes: count,
  created_at: time,
  schema_version: count,
  segments: count,
  records: count,
  audit_head: auditHead,
  secret: hasSecret,
  duration_ms: milliseconds,
});
export type BackupReportBody = Shape<typeof backupReport>;

/** The report of `restore`. */
export const restoreReport = z.strictObject({
  data_dir: text,
  created_at: time,
  xpose_version: text,
  segments: count,
  records: count,
  audit_head: auditHead,
  /** The head given with `--head`, after it was found in the trail. */
  checked_head: z.nullable(auditHead),
  secret: hasSecret,
  duration_ms: milliseconds,
});
export type RestoreReportBody = Shape<typeof restoreReport>;
