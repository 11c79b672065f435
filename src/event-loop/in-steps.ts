/** The `Steps` type of the domain, repeated here because this folder imports nothing. */
type Steps<Result> = Generator<undefined, Result, undefined>;

/** Milliseconds per turn of the event loop that all long work together may use, plus one step. */
const shareMs = 5;

let spentMs = 0;
let isNewTurnAwaited = false;
/** Waiting work continues one piece at a time, each piece in its own turn. */
let last: Promise<void> = Promise.resolve();

/**
 * Does long work without blocking the event loop. When the share of this turn is used up, the work continues in the
 * next turn. Short work is done at once. Throws the reason of `signal` when it aborts.
 */
export async function inSteps<Result>(steps: Steps<Result>, signal?: AbortSignal): Promise<Result> {
  if (spentMs >= shareMs) await nextTurn(signal);
  for (;;) {
    const result = goOn(steps);
    if (result.done === true) return result.value;
    await nextTurn(signal);
  }
}

/** Runs steps until the work is done or the share of this turn is used up. */
function goOn<Result>(steps: Steps<Result>): IteratorResult<undefined, Result> {
  const startedAt = performance.now();
  const untilMs = startedAt + shareMs - spentMs;
  try {
    for (;;) {
      const result = steps.next();
      if (result.done === true || performance.now() >= untilMs) return result;
    }
  } finally {
    spend(performance.now() - startedAt);
  }
}

function spend(ms: number): void {
  spentMs += ms;
  if (isNewTurnAwaited) return;
  isNewTurnAwaited = true;
  setImmediate(() => {
    isNewTurnAwaited = false;
    spentMs = 0;
  });
}

async function nextTurn(signal: AbortSignal | undefined): Promise<void> {
  last = last.then(() => new Promise((resolve) => setImmediate(resolve)));
  await last;
  signal?.throwIfAborted();
}
