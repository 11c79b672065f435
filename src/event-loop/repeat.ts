export type Repeated = {
  /** Ends the repetition and aborts the signal that `work` got. Resolves when work under way has ended. Never rejects. */
  readonly stop: () => Promise<void>;
};

/**
 * Does `work` after `firstMs` (default: `everyMs`) and then every `everyMs` milliseconds until it is stopped, never two at
 * once: a turn that falls due while work is under way is left out. `work` handles its own errors; `onError` gets the others.
 */
export function repeat(
  work: (signal: AbortSignal) => unknown,
  { everyMs, firstMs = everyMs, onError }: { everyMs: number; firstMs?: number; onError: (error: unknown) => void },
): Repeated {
  const abort = new AbortController();
  let running: Promise<void> | null = null;
  const turn = () => {
    running ??= (async () => work(abort.signal))()
      .then(() => undefined, onError)
      .finally(() => {
        running = null;
      });
  };
  let timer = setTimeout(() => {
    turn();
    timer = setInterval(turn, everyMs);
  }, firstMs);
  return {
    async stop() {
      clearTimeout(timer);
      clearInterval(timer);
      abort.abort(new Error("the service stops"));
      await running;
    },
  };
}
