/**
 * Rejects with the reason of the signal when it aborts. Only for short-lived signals, because the listener stays
 * attached.
 */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
