/** Places for requests that wait for their scan. A waiting request holds a connection, and no caller may hold all of them. */
export type Waits = {
  /** Takes a place for one more request of this holder; calling the result gives it back. Null when there is none. */
  readonly take: (holder: string) => (() => void) | null;
};

export function openWaits({ perHolder, total }: { readonly perHolder: number; readonly total: number }): Waits {
  const counts = new Map<string, number>();
  let count = 0;
  return {
    take(holder) {
      const own = counts.get(holder) ?? 0;
      if (own >= perHolder || count >= total) return null;
      counts.set(holder, own + 1);
      count += 1;
      return () => {
        count -= 1;
        const left = (counts.get(holder) ?? 1) - 1;
        if (left === 0) counts.delete(holder);
        else counts.set(holder, left);
      };
    },
  };
}
