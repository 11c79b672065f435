import type { HttpConnection } from "./http-connection.ts";

/** Open connections that wait for their next request. A route says where one leads to and by which way. */
export type IdleConnections = {
  /** Takes out the one that has waited shortest: the others may go. Null when none waits on this route. */
  readonly take: (route: string) => HttpConnection | null;
  /** Keeps a connection, or closes it when it is not to be asked again. */
  readonly put: (route: string, connection: HttpConnection) => void;
  /** For one that was closed while it waited. */
  readonly drop: (connection: HttpConnection) => void;
  /** How many wait, on all routes. */
  readonly count: () => number;
  /** Closes the one that has waited longest, on whatever route. */
  readonly closeOldest: () => void;
  readonly closeAll: () => Promise<void>;
};

export function openIdleConnections(): IdleConnections {
  type Waiting = { readonly route: string; readonly connection: HttpConnection };
  /** By the time of their last answer, ascending. */
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
