import * as z from "zod/mini";
import { count, milliseconds, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

const auditHead = text.check(z.describe("where the audit trail ends, N:HEX"));
const hasSecret = z.boolean().check(z.describe("whether the server secret is in it"));

/** `backup`. */
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

/** `restore`. */
export const restoreReport = z.strictObject({
  data_dir: text,
  created_at: time,
  xpose_version: text,
  segments: count,
  records: count,
  audit_head: auditHead,
  /** The head that was given and found in the trail. */
  checked_head: z.nullable(auditHead),
  secret: hasSecret,
  duration_ms: milliseconds,
});
export type RestoreReportBody = Shape<typeof restoreReport>;
