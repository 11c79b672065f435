import type { AuditEvent } from "../../domain/audit.ts";
import type { Call, CallRules, Reply } from "../../domain/call.ts";
import type { AppError } from "../../domain/error.ts";

/** Calls of the exposure API. */
export interface CallStore {
  /**
   * Decides and serves a batch of calls. The replies are in the order of the calls and are returned after the commit,
   * which includes budgets, usage, new scans and audit rows. `earlier` events are written before the events of the
   * calls. Once the replies together exceed `maxReplyLength`, the remaining calls get no reply and are untouched. The
   * first call always gets a reply.
   */
  handleCalls(calls: readonly Call[], rules: CallRules, earlier: readonly AuditEvent[]): Promise<Reply[]>;
  /**
   * The same for a store that cannot be written now. Hits and polls are served without being counted, a miss is refused
   * with `fault`, and the audit events are returned instead of written.
   */
  readCalls(
    calls: readonly Call[],
    rules: CallRules,
    fault: AppError,
  ): Promise<{ readonly replies: Reply[]; readonly events: AuditEvent[] }>;
}
