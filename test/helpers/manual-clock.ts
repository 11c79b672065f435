/** Runs everything that is ready: promises and immediates of this turn of the event loop. */
export async function turnOver(): Promise<void> {
  for (let round = 0; round < 10; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock that moves only when the test moves it. Sleepers wake in order. */
export class ManualClock {
  #time: number;
  #sleepers: { readonly until: number; readonly wake: () => void }[] = [];

  constructor(start = "2026-06-01T12:00:00Z") {
    this.#time = Date.parse(start);
  }

  readonly now = (): Date => new Date(this.#time);
  readonly steadyNow = (): number => this.#time;
  readonly sleep = (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.push({ until: this.#time + ms, wake: resolve });
    return promise;
  };

  /** The moment `ms` milliseconds from now. */
  after(ms: number): Date {
    return new Date(this.#time + ms);
  }

  /** The number of sleepers. */
  get sleeperCount(): number {
    return this.#sleepers.length;
  }

  /** Moves the clock forward and runs everything that is due; moves it back without waking sleepers. */
  async advance(ms: number): Promise<void> {
    const end = this.#time + ms;
    await turnOver();
    for (;;) {
      this.#sleepers.sort((a, b) => a.until - b.until);
      const next = this.#sleepers[0];
      if (next === undefined || next.until > end) break;
      this.#sleepers.shift();
      this.#time = Math.max(this.#time, next.until);
      next.wake();
      await turnOver();
    }
    this.#time = end;
    await turnOver();
  }
}
