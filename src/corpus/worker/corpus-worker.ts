/**
 * A worker thread that reads records, writes segments and merges them: a second entry point of the executable. Answers
 * one request after the other, see worker-lane.ts.
 */
import { CorpusError } from "../error.ts";
import { buffersOf, RecordLane } from "../import/record-lane.ts";
import { writeImport } from "../import/write-import.ts";
import { mergeSegments } from "../segment/merge.ts";
import { lowerPriority } from "./lower-priority.ts";
import type { WorkerFault, WorkerReply, WorkerRequest } from "./worker-messages.ts";

declare const self: Worker;

lowerPriority();

let lane: RecordLane | null = null;
self.onmessage = ({ data }: MessageEvent<WorkerRequest>) => {
  void answer(data).catch((error: unknown) => {
    self.postMessage({ id: data.id, kind: "failed", fault: faultOf(error) } satisfies WorkerReply);
  });
};

async function answer(request: WorkerRequest): Promise<void> {
  const { id } = request;
  if (request.kind === "open") {
    lane = new RecordLane(request.options);
    self.postMessage({ id, kind: "done", tally: lane.tally } satisfies WorkerReply);
  } else if (request.kind === "merge") {
    const written = await mergeSegments(request.job);
    self.postMessage({ id, kind: "merged", written } satisfies WorkerReply);
  } else {
    await answerLane(request, lane ?? noLane());
  }
}

function noLane(): never {
  throw new Error("the lane is not open");
}

type LaneRequest = Exclude<WorkerRequest, { kind: "open" | "merge" }>;

async function answerLane(request: LaneRequest, open: RecordLane): Promise<void> {
  const { id } = request;
  const done = (): WorkerReply => ({ id, kind: "done", tally: open.tally });
  switch (request.kind) {
    case "block": {
      const { buffer, block } = request;
      open.addBlock(Buffer.from(buffer), block);
      self.postMessage({ id, kind: "block", tally: open.tally, buffer } satisfies WorkerReply, [buffer]);
      return;
    }
    case "finish": {
      const runs = open.finish();
      const reply = { id, kind: "finished", tally: open.tally, runs } satisfies WorkerReply;
      self.postMessage(reply, buffersOf(runs));
      return;
    }
    case "write": {
      const written = writeImport(request.segment, (recordCount) =>
        self.postMessage({ id, kind: "progress", recordCount } satisfies WorkerReply),
      );
      self.postMessage({ id, kind: "written", written } satisfies WorkerReply);
      return;
    }
    case "close":
      open.close();
      self.postMessage(done());
  }
}

function faultOf(error: unknown): WorkerFault {
  if (error instanceof CorpusError) return { kind: error.kind, message: error.message, code: null };
  const code = error instanceof Error && "code" in error ? String(error.code) : null;
  return { kind: null, message: error instanceof Error ? error.message : "unknown error", code };
}
