export type TimeLimit = {
  /** Aborts when the time is over, or with the signal that it was made from. */
  readonly signal: AbortSignal;
  /** For when the work is done. */
  readonly release: () => void;
};

/**
 * Limits work that `signal` may end before. Unlike `AbortSignal.timeout`, whose timer keeps all that listens to it
 * until the time is over, it can be released: a scan of milliseconds would be held for its 90 s.
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
