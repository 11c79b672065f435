/** Asks /healthz every 20 ms, each time on its own, until it is stopped. */
export type HealthWatch = {
  /** Resolves with the longest answer, in milliseconds, without what this process itself was late. */
  readonly stop: () => Promise<number>;
};

const everyMs = 20;

export function watchHealth(url: string): HealthWatch {
  let longestMs = 0;
  let isStopped = false;
  const asked = new Set<Promise<void>>();

  async function ask(): Promise<void> {
    const startedAt = performance.now();
    const lateBefore = lateMs;
    const response = await fetch(`${url}/healthz`, { tls: { rejectUnauthorized: false } });
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`/healthz answered ${response.status}`);
    longestMs = Math.max(longestMs, performance.now() - startedAt - (lateMs - lateBefore));
  }

  /** How late the timers of this process were, all together: a busy test must not blame the service. */
  let lateMs = 0;
  let lastAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    lateMs += Math.max(0, now - lastAt - everyMs);
    lastAt = now;
    if (isStopped) return;
    const answer = ask().finally(() => asked.delete(answer));
    asked.add(answer);
  }, everyMs);

  return {
    async stop() {
      isStopped = true;
      await Promise.all(asked);
      clearInterval(timer);
      return longestMs;
    },
  };
}
