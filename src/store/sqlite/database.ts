import { auditEvent } from "../../domain/audit.ts";
import type { DatabaseStore } from "../port/database.ts";
import type { auditTable } from "./audit.ts";
import { schemaFaults } from "./compare-schema.ts";
import { copyDatabase } from "./copy.ts";
import type { Connection } from "./driver.ts";
import { currentVersion, openSchema } from "./migrate.ts";
import type { operatorTable } from "./operator.ts";
import type { Reserve } from "./reserve.ts";
import type { scanClaims } from "./scan-claim.ts";
import type { Transactions } from "./transactions.ts";

type Tables = {
  readonly operators: () => Pick<ReturnType<typeof operatorTable>, "endAllSessions">;
  readonly claims: Pick<ReturnType<typeof scanClaims>, "requeue">;
  readonly audit: Pick<ReturnType<typeof auditTable>, "append">;
};

/** The last time that a Date can hold. */
const endOfTime = new Date(8.64e15);

/** The database as a whole. `reserve` is null for a database without a reserve. */
export function databaseStore(
  connection: Connection,
  { read, write }: Transactions,
  reserve: Reserve | null,
  { operators, claims, audit }: Tables,
): DatabaseStore {
  return {
    backup: (file, onProgress) => copyDatabase(connection.name, file, onProgress),

    settleRestored: (detail, by) =>
      write(() => {
        // A session that was ended after the copy must not become valid again.
        operators().endAllSessions();
        // The process that ran these scans no longer exists. That is not the fault of the scans.
        claims.requeue({ leaseOverAt: endOfTime }, false, by.at);
        audit.append([auditEvent(by, "audit.restored", { detail })]);
      }),

    schemaFaults: () =>
      read(() => {
        const expected = openSchema(currentVersion);
        try {
          return schemaFaults(connection, expected);
        } finally {
          expected.close();
        }
      }),

    close() {
      const close = () => connection.close();
      // The last connection to close writes the log into the database, which may have to grow.
      if (reserve?.isFull() === true) reserve.lend(close);
      else close();
    },
  };
}
