import { CorpusError } from "../error.ts";
import type { OpenLane } from "../import/lane.ts";
import { buffersOf, emptyTally, type Tally } from "../import/record-lane.ts";
import type { OnWritten, WrittenSegment } from "../import/write-import.ts";
import type { MergeJob } from "../segment/merge.ts";
import type { WorkerFault, WorkerReply, WorkerRequest } from "./worker-messages.ts";

/**
 * The entry point as named by the build. A bare relative path is looked up inside the executable. A path made from
 * `import.meta.url` would name the folder of the build machine and run code from there.
 */
const workerPath = "./corpus/worker/corpus-worker.ts";

/** Opens a lane in its own thread. Works only in the executable, because the worker is an entry point of the build. */
export const openWorkerLane: OpenLane = (options) => {
  const thread = startThread();
  const opened = thread.ask({ kind: "open", options });
  opened.catch(() => undefined);
  return {
    async addBlock(bytes, block) {
      const reply = await thread.ask({ kind: "block", buffer: bytes.buffer, block }, [bytes.buffer]);
      if (reply.kind !== "block") throw new Error("a worker answered out of turn");
      return Buffer.from(reply.buffer);
    },
    async finish() {
      const reply = await thread.ask({ kind: "finish" });
      if (reply.kind !== "finished") throw new Error("a worker answered out of turn");
      return reply.runs;
    },
    async write(segment, onWritten) {
      const reply = await thread.ask({ kind: "write", segment }, segment.runs.flatMap(buffersOf), onWritten);
      if (reply.kind !== "written") throw new Error("a worker answered out of turn");
      return reply.written;
    },
    tally: thread.tally,
    async close() {
      if (thread.isIdle()) await thread.ask({ kind: "close" }).catch(() => undefined);
      await thread.end();
    },
  };
};

/** Merges segments in a low-priority thread; ends the thread when `signal` aborts. */
export async function mergeInWorker(job: MergeJob, signal: AbortSignal): Promise<WrittenSegment> {
  const thread = startThread();
  const onAbort = () => thread.fail(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const reply = await thread.ask({ kind: "merge", job });
    if (reply.kind !== "merged") throw new Error("a worker answered out of turn");
    return reply.written;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await thread.end();
  }
}

/** A thread that does not end in this time is left running until the process ends. */
const endGraceMs = 2_000;

type Asked = {
  readonly resolve: (reply: WorkerReply) => void;
  readonly reject: (error: unknown) => void;
  readonly onWritten: OnWritten;
};
type Unnumbered<Request> = Request extends { readonly id: number } ? Omit<Request, "id"> : never;

function startThread() {
  // A small heap: text of the file becomes garbage at once and would otherwise pile up to hundreds of MiB.
  const worker = new Worker(workerPath, { smol: true });
  const asked = new Map<number, Asked>();
  let lastId = 0;
  let tally: Tally = emptyTally();
  let failure: { readonly error: unknown } | null = null;
  const ended = new Promise<void>((resolve) => {
    worker.addEventListener("close", () => resolve(), { once: true });
  });
  const fail = (error: unknown) => {
    failure ??= { error };
    for (const { reject } of asked.values()) reject(error);
    asked.clear();
  };
  worker.onerror = (event) => fail(new Error(`a worker failed: ${event.message}`));
  worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => {
    const waiting = asked.get(data.id);
    if (waiting === undefined) return;
    if (data.kind === "progress") {
      waiting.onWritten(data.recordCount);
      return;
    }
    asked.delete(data.id);
    if ("tally" in data) tally = data.tally;
    if (data.kind === "failed") waiting.reject(errorOf(data.fault));
    else waiting.resolve(data);
  };
  return {
    ask(request: Unnumbered<WorkerRequest>, buffers: ArrayBuffer[] = [], onWritten: OnWritten = () => undefined) {
      return new Promise<WorkerReply>((resolve, reject) => {
        if (failure !== null) {
          reject(failure.error);
          return;
        }
        const id = ++lastId;
        asked.set(id, { resolve, reject, onWritten });
        worker.postMessage({ ...request, id }, buffers);
      });
    },
    tally: () => tally,
    isIdle: () => asked.size === 0 && failure === null,
    fail,
    /** Resolves when the thread is gone and can no longer create a file. */
    async end(): Promise<void> {
      fail(new Error("the worker has ended"));
      worker.terminate();
      await Promise.race([ended, Bun.sleep(endGraceMs)]);
    },
  };
}

function errorOf({ kind, message, code }: WorkerFault): Error {
  if (kind !== null) return new CorpusError(kind, message);
  return Object.assign(new Error(message), code === null ? {} : { code });
}
