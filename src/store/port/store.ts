import type { ApiKeyStore } from "./api-key.ts";
import type { AuditStore } from "./audit.ts";
import type { BulkStore } from "./bulk.ts";
import type { CallStore } from "./call.ts";
import type { CorpusStore } from "./corpus.ts";
import type { DatabaseStore } from "./database.ts";
import type { OperatorStore } from "./operator.ts";
import type { OverviewStore } from "./overview.ts";
import type { PaceStore } from "./pace.ts";
import type { ScanStore } from "./scan.ts";
import type { WorkspaceStore } from "./workspace.ts";

/**
 * The port to the database. Every method is one transaction; none spans two calls. Rules are not written twice: a
 * method reads facts, calls a pure function of the domain, and writes what it says. Arguments and results are domain
 * values. A method that changes rights or data takes its author: the change and its audit row are one transaction.
 *
 * Errors of every method: `AppError` `storage_full` when the disk is full, `unavailable` when the database cannot be
 * read or written.
 */
export interface Store
  extends CallStore,
    BulkStore,
    ScanStore,
    ApiKeyStore,
    WorkspaceStore,
    OperatorStore,
    AuditStore,
    CorpusStore,
    PaceStore,
    OverviewStore,
    DatabaseStore {}
