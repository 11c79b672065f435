import type { AuditTrail } from "../access/audit.ts";
import type { Author } from "../domain/audit.ts";
import type { CallOrigin } from "../domain/call.ts";
import type { Indicator } from "../domain/indicator.ts";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import type { Operator } from "../domain/operator.ts";
import type { ScanId } from "../domain/scan.ts";
import type { Bell } from "../event-loop/bell.ts";
import type { Calls } from "../scans/calls.ts";
import type { ApiKeyStore } from "../store/port/api-key.ts";
import type { AuditStore } from "../store/port/audit.ts";
import type { BulkStore } from "../store/port/bulk.ts";
import type { CorpusStore } from "../store/port/corpus.ts";
import type { EventStore } from "../store/port/event.ts";
import type { OperatorStore } from "../store/port/operator.ts";
import type { OverviewStore } from "../store/port/overview.ts";
import type { PaceStore } from "../store/port/pace.ts";
import type { WatchStore } from "../store/port/watch.ts";
import type { WorkspaceStore } from "../store/port/workspace.ts";
import type { AccessLog } from "./access-log.ts";
import { clientAddress, isForwardedByStranger, type Peer, type Trust } from "./caller.ts";
import type { Dashboard } from "./dashboard.ts";
import type { Throttle } from "./throttle.ts";
import type { Waits } from "./waits.ts";

/** The parts of the application that handlers use. */
export type Application = {
  /** See `instanceId`. */
  readonly instance: string;
  readonly keys: DerivedKeys;
  readonly store: ApiKeyStore &
    OperatorStore &
    OverviewStore &
    Pick<AuditStore, "listEvents"> &
    EventStore &
    WatchStore &
    BulkStore &
    Pick<WorkspaceStore, "findWorkspace"> &
    Pick<CorpusStore, "listCorpora"> &
    Pick<PaceStore, "listTurns">;
  readonly calls: Calls;
  readonly trail: Pick<AuditTrail, "denied">;
  readonly trust: Trust;
  /** Limits log-ins per address (docs/contract.md 9.9). */
  readonly logIns: Throttle;
  /** Calls of whoami, per key (docs/pipeline.md 15.1). */
  readonly whoamis: Throttle;
  /** `server.public_url`: where clients reach the service, without a slash at its end; null when it is not set. */
  readonly publicUrl: string | null;
  /** `server.get_lookup` (docs/pipeline.md 16.5). */
  readonly hasGetLookUp: boolean;
  readonly dashboard: Dashboard;
  readonly metrics: {
    readonly countRequest: (method: string, path: string | null, status: number, durationMs: number) => void;
    /** A forwarding header came from a peer that is no trusted proxy. */
    readonly countStrangeForward: (address: string | null) => void;
    /** A list was taken: its rows, and how long that took. */
    readonly countBulk: (rowCount: number, durationMs: number) => void;
    readonly render: () => string;
  };
  /** `server.bulk_limit`: indicators in one list. */
  readonly bulkLimit: number;
  /** Requests that wait for their scan. */
  readonly waits: Waits;
  readonly whenSettled: (scanId: ScanId, timeoutMs: number, signal: AbortSignal) => Promise<void>;
  /** Rung when an event of a watch list was added. */
  readonly eventBell: Bell;
  /** Told when addresses were added to a watch list. */
  readonly onWatched: () => void;
  readonly newScanId: () => ScanId;
  readonly hashOf: (indicator: Indicator) => string;
  readonly now: () => Date;
  readonly newId: () => string;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly steadyNow: () => number;
  /** While it starts, only a few routes answer; while it stops, all do, and it says that it is not ready. */
  readonly phase: () => "starting" | "serving" | "stopping";
  /** A message about a problem with the disk; null when there is no problem. */
  readonly diskProblem: () => string | null;
  readonly accessLog: AccessLog;
  readonly log: { readonly error: (fields: object, message: string) => void };
};

/** A request with everything that a handler needs to answer it. */
export type Exchange = {
  readonly request: Request;
  readonly peer: Peer;
  readonly correlationId: string;
  /** The raw text of the path parameters, by name. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly app: Application;
};

/** The exchange of a route for operators. The workspace of the operator counts, never the one in the path. */
export type OperatorExchange = Exchange & { readonly operator: Operator };

/** The origin of a request, for the audit trail. */
export function originOf({ request, peer, correlationId, app }: Exchange): CallOrigin {
  if (isForwardedByStranger(request.headers, peer, app.trust)) app.metrics.countStrangeForward(peer.address);
  return { ip: clientAddress(request.headers, peer, app.trust), correlationId };
}

/** The operator as the author of a change; `status` is the HTTP status of its success. */
export function authorOf(exchange: OperatorExchange, status: number): Author {
  const { operator, app } = exchange;
  return { at: app.now(), actor: `operator:${operator.name}`, outcome: String(status), ...originOf(exchange) };
}
