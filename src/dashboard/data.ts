import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ask, Fault } from "./api.ts";
import { isExpiry, useSession } from "./session.ts";

export type Data<Body> = {
  /** The latest body. It stays during a reload and after a failed reload. */
  readonly body: Body | null;
  readonly fault: Fault | null;
  readonly reload: () => Promise<void>;
};

/** Reads a path of the API, and reads it again every `everyMs` while the page is visible. Null reads nothing. */
export function useData<Body>(path: string | null, everyMs: number | null = null): Data<Body> {
  const { expire } = useSession();
  const [state, setState] = useState<{ path: string | null; body: Body | null; fault: Fault | null }>({
    path,
    body: null,
    fault: null,
  });
  const current = useRef<AbortController | null>(null);

  const reload = useCallback(async () => {
    if (path === null) return;
    current.current?.abort();
    const abort = new AbortController();
    current.current = abort;
    try {
      const { body } = await ask<Body>(path, { signal: abort.signal });
      setState({ path, body, fault: null });
    } catch (error) {
      if (abort.signal.aborted || !(error instanceof Fault)) return;
      if (isExpiry(error)) expire();
      setState((before) => ({ path, body: before.path === path ? before.body : null, fault: error }));
    }
  }, [path, expire]);

  useEffect(() => {
    void reload();
    const timer =
      everyMs === null ? null : setInterval(() => document.visibilityState === "visible" && void reload(), everyMs);
    return () => {
      current.current?.abort();
      if (timer !== null) clearInterval(timer);
    };
  }, [reload, everyMs]);

  const isThis = state.path === path;
  return { body: isThis ? state.body : null, fault: isThis ? state.fault : null, reload };
}
