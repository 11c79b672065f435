import type { HttpConnection } from "./http-connection.ts";

/** A pool of idle connections. A route is an origin and the way to it. */
export type IdleConnections = {
  /** Takes the connection of this route that was idle for the shortest time; null when there is none. */
  readonly take: (route: string) => HttpConnection | null;
  /** Returns a connection to the pool, or closes it when it is not reusable. */
  readonly put: (route: string, connection: HttpConnection) => void;
  /** Removes a connection that was closed while idle. */
  readonly drop: (connection: HttpConnection) => void;
  /** Number of idle connections on all routes. */
  readonly count: () => number;
  /** Closes the connection that was idle for the longest time, on any route. */
  readonly closeOldest: () => void;
  readonly closeAll: () => Promise<void>;
};

export function openIdleConnections(): IdleConnections {
  type Waiting = { readonly route: string; readonly connection: HttpConnection };
  /** Ordered by the time of the last answer, ascending. */
  const waiting: Waiting[] = [];

  return {
    take(route) {
      const index = waiting.findLastIndex((one) => one.route === route && one.connection.isReusable());
      return index < 0 ? null : (waiting.splice(index, 1)[0]?.connection ?? null);
    },
    put(route, connection) {
      if (!connection.isReusable()) return void connection.close();
      waiting.push({ route, connection });
    },
    drop(connection) {
      const index = waiting.findIndex((one) => one.connection === connection);
      if (index >= 0) waiting.splice(index, 1);
    },
    count: () => waiting.length,
    closeOldest: () => void waiting.shift()?.connection.close(),
    async closeAll() {
      await Promise.all(waiting.splice(0).map(({ connection }) => connection.close()));
    },
  };
}
