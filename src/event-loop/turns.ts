/**
 * Collects what comes in one turn of the event loop. `serve` gets it in batches of at most `maxCount`, in the order of
 * arrival, never two batches at once; between two batches other work gets its turn. `serve` must not throw: it tells each
 * item of its errors itself.
 */
export function collectTurns<Item>(
  maxCount: number,
  serve: (batch: readonly Item[]) => Promise<void>,
): (item: Item) => void {
  const waiting: Item[] = [];
  let isServing = false;

  async function serveTurns(): Promise<void> {
    while (waiting.length > 0) {
      await serve(waiting.splice(0, maxCount));
      if (waiting.length > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    isServing = false;
  }

  return (item) => {
    waiting.push(item);
    if (isServing) return;
    isServing = true;
    setImmediate(serveTurns);
  };
}
