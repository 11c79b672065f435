/**
 * Collects the items that arrive in one turn of the event loop. `serve` gets them in order of arrival, in batches of at
 * most `maxCount`. Batches never overlap, and other work gets a turn between two batches. `serve` must not throw: it
 * reports errors to each item itself.
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
