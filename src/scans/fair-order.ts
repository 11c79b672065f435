/**
 * The order in which a batch is served: the items of light callers first, in the order of arrival; then the items of
 * heavy callers in rounds, one item of each caller per round. A heavy caller delays no light one and only shares with
 * other heavy ones, however many items it sends at once.
 */
export function fairOrder<Item>(
  items: readonly Item[],
  callerOf: (item: Item) => string,
  heavyCallers: ReadonlySet<string>,
): Item[] {
  const order: Item[] = [];
  const heavy = new Map<string, Item[]>();
  for (const item of items) {
    const caller = callerOf(item);
    if (!heavyCallers.has(caller)) order.push(item);
    else if (!heavy.get(caller)?.push(item)) heavy.set(caller, [item]);
  }
  for (let round = 0; heavy.size > 0; round += 1) {
    for (const [caller, own] of heavy) {
      const item = own[round];
      if (item === undefined) heavy.delete(caller);
      else order.push(item);
    }
  }
  return order;
}
