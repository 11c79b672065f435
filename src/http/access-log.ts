/** A served request. `path` is the pattern of its route, so no id or submitted text is logged; null = no route. */
export type AccessEntry = {
  readonly method: string;
  readonly path: string | null;
  readonly status: number;
  readonly durationMs: number;
  readonly correlationId: string;
};

export type AccessLog = { readonly write: (entry: AccessEntry) => void; readonly flush: () => void };

/** Methods that need no escaping. */
const plainMethods = new Set(["GET", "HEAD", "POST", "DELETE"]);

function shown(method: string): string {
  return plainMethods.has(method) ? `"${method}"` : JSON.stringify(method);
}

const flushAfterMs = 250;
const flushAtLength = 65_536;

/**
 * Writes one JSON line per request, in batches. The line is built by hand, because for a hit a logging library would
 * cost more than the look-up.
 */
export function openAccessLog(write: (text: string) => void, now: () => Date, isEnabled: () => boolean): AccessLog {
  let buffer = "";
  let timer: ReturnType<typeof setTimeout> | null = null;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const text = buffer;
    buffer = "";
    if (text !== "") write(text);
  }

  return {
    write({ method, path, status, durationMs, correlationId }) {
      if (!isEnabled()) return;
      const pathText = path === null ? "null" : `"${path}"`;
      buffer +=
        `{"level":30,"time":${now().getTime()},"msg":"request","method":${shown(method)},"path":${pathText},` +
        `"status":${status},"ms":${Math.round(durationMs * 100) / 100},"correlation_id":"${correlationId}"}\n`;
      if (buffer.length >= flushAtLength) flush();
      else timer ??= setTimeout(flush, flushAfterMs);
    },
    flush,
  };
}
