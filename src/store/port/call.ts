import type { AuditEvent } from "../../domain/audit.ts";
import type { Call, CallRules, Reply } from "../../domain/call.ts";
import type { AppError } from "../../domain/error.ts";

/** Calls of the exposure API. */
export interface CallStore {
  /**
   * Decides and serves a batch of calls; the replies are in the order of the calls. Nothing is replied before the
   * commit, which holds budgets, usage, new scans and audit rows too; `earlier` events are written before theirs.
   * Once the replies together exceed `maxReplyLength`, the calls behind them get no reply and are untouched; the first call
   * always gets a reply.
   */
  handleCalls(calls: readonly Call[], rules: CallRules, earlier: readonly AuditEvent[]): Promise<Reply[]>;
  /**
   * The same for a store that cannot be written now: hits and polls are served uncounted, a miss is refused with
   * `fault`, and the events that tell of it are returned instead of written.
   */
  readCalls(
    calls: readonly Call[],
    rules: CallRules,
    fault: AppError,
  ): Promise<{ readonly replies: Reply[]; readonly events: AuditEvent[] }>;
}
