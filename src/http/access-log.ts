/** A served request. `path` is the pattern of its route, so no id or submitted text is logged; null = no route. */
export type AccessEntry = {
  readonly method: string;
  readonly path: string | null;
  readonly status: number;
  readonly durationMs: number;
  readonly correlationId: string;
};

export type AccessLog = { readonly write: (entry: AccessEntry) => void; readonly flush: () => void };

export type AccessLogTools = {
  /** Takes lines of JSON. */
  readonly write: (lines: string) => void;
  /** The log of everything else, which writes lines for people. */
  readonly log: { readonly info: (fields: object, message: string) => void };
  readonly isPretty: () => boolean;
  readonly isEnabled: () => boolean;
  readonly now: () => Date;
};

/** Methods that are logged as they are; any other text is escaped. */
const plainMethods = new Set(["GET", "HEAD", "POST", "DELETE"]);

function shown(method: string): string {
  return plainMethods.has(method) ? `"${method}"` : JSON.stringify(method);
}

const message = "request";
const flushAfterMs = 250;
const flushAtLength = 65_536;

/**
 * Writes one line per request. Lines of JSON are built by hand and written in batches: on the path of a hit a logging
 * library costs more than the look-up.
 */
export function openAccessLog({ write, log, isPretty, isEnabled, now }: AccessLogTools): AccessLog {
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
      const ms = Math.round(durationMs * 100) / 100;
      if (isPretty()) return log.info({ method, path, status, ms, correlation_id: correlationId }, message);
      const pathText = path === null ? "null" : `"${path}"`;
      buffer +=
        `{"level":30,"time":${now().getTime()},"msg":"${message}","method":${shown(method)},"path":${pathText},` +
        `"status":${status},"ms":${ms},"correlation_id":"${correlationId}"}\n`;
      if (buffer.length >= flushAtLength) flush();
      else timer ??= setTimeout(flush, flushAfterMs);
    },
    flush,
  };
}
