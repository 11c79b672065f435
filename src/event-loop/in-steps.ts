/** `Steps` of the domain. */
type Steps<Result> = Generator<undefined, Result, undefined>;

/** Milliseconds of one turn of the event loop that all long work together may take, plus a step. */
const shareMs = 5;

let spentMs = 0;
let isNewTurnAwaited = false;
/** Long work that waits goes on one piece after the other, each in a turn of its own. */
let last: Promise<void> = Promise.resolve();

/**
 * Does long work without holding up the event loop: when the share of this turn is used up, the work goes on in the next
 * turn. Short work is done at once. Throws the reason of `signal` when that aborts.
 */
export async function inSteps<Result>(steps: Steps<Result>, signal?: AbortSignal): Promise<Result> {
  if (spentMs >= shareMs) await nextTurn(signal);
  for (;;) {
    const result = goOn(steps);
    if (result.done === true) return result.value;
    await nextTurn(signal);
  }
}

/** Does steps until the work is done or the share of this turn is used up. */
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
