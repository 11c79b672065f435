import type { AuditEvent, AuditHead } from "../../src/domain/audit.ts";
import type { Store } from "../../src/store/port/store.ts";

/** All events of an audit trail with their places, oldest first. */
export async function auditEvents(store: Pick<Store, "readChain">): Promise<(AuditEvent & AuditHead)[]> {
  const rows = await store.readChain(Number.NEGATIVE_INFINITY, 1_000_000);
  return rows.flatMap(({ row, mac, event }) => (event === null ? [] : [{ ...event, row, mac }]));
}
