import type { Author } from "../../src/domain/audit.ts";

/** The author of changes in tests. */
export const testAuthor: Author = {
  at: new Date("2026-06-01T12:00:00Z"),
  actor: "cli",
  ip: null,
  outcome: "ok",
  correlationId: null,
};

/** The audit key of stores in tests. */
export const testAuditKey = new Uint8Array(32).fill(5);
