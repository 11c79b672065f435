import type { ApiKeyStore } from "./api-key.ts";
import type { AuditStore } from "./audit.ts";
import type { BulkStore } from "./bulk.ts";
import type { CallStore } from "./call.ts";
import type { CorpusStore } from "./corpus.ts";
import type { DatabaseStore } from "./database.ts";
import type { EventStore } from "./event.ts";
import type { OperatorStore } from "./operator.ts";
import type { OverviewStore } from "./overview.ts";
import type { PaceStore } from "./pace.ts";
import type { ScanStore } from "./scan.ts";
import type { WatchStore } from "./watch.ts";
import type { WebhookStore } from "./webhook.ts";
import type { WorkspaceStore } from "./workspace.ts";

/**
 * The port to the database. Every method is one transaction, and no transaction spans two calls. Rules are not repeated
 * in SQL: a method reads facts, calls a pure function of the domain, and writes its result. Arguments and results are
 * domain values. A method that changes rights or data takes the author of the change, and writes the change and its
 * audit row in one transaction.
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
    WatchStore,
    EventStore,
    WebhookStore,
    DatabaseStore {}
