export type TimeLimit = {
  /** Aborts when the time is over or the parent signal aborts. */
  readonly signal: AbortSignal;
  /** Clears the timer. Call it when the work is done. */
  readonly release: () => void;
};

/**
 * Adds a time limit to `signal`. Unlike `AbortSignal.timeout`, the limit can be released. The timer of
 * `AbortSignal.timeout` keeps its listeners alive until the time is over: a scan of milliseconds would stay in memory
 * for 90 s.
 */
export function limitTime(signal: AbortSignal, timeoutMs: number): TimeLimit {
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  const timer = setTimeout(() => controller.abort(new DOMException("The time is over", "TimeoutError")), timeoutMs);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    },
  };
}
