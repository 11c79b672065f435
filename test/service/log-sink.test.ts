import { expect, test } from "vitest";
import { type LogSink, openLogSink } from "../../src/service/log-sink.ts";

const line = `${"x".repeat(99)}\n`;

/** A writer that takes all at once, or nothing until it is told to. */
function openWriter() {
  const written: string[] = [];
  let held: PromiseWithResolvers<void> | null = null;
  let fault: Error | null = null;
  return {
    written,
    hold() {
      held = Promise.withResolvers();
    },
    release() {
      held?.resolve();
      held = null;
    },
    leave() {
      held?.reject(new Error("EPIPE"));
      held = null;
    },
    fail(error: Error | null) {
      fault = error;
    },
    writer: {
      write(text: string) {
        if (fault !== null) throw fault;
        written.push(text);
      },
      flush: () => held?.promise,
    },
  };
}

test("lines that the reader takes are written at once, in order", () => {
  const { writer, written } = openWriter();
  const sink = openLogSink(writer);
  sink.write("a\n");
  sink.write("b\nc\n");
  expect(written.join("")).toBe("a\nb\nc\n");
  expect(sink.droppedCount()).toBe(0);
});

test("lines wait for a reader that pauses, and follow when it goes on", async () => {
  const { writer, written, hold, release } = openWriter();
  const sink = openLogSink(writer);
  hold();
  for (const text of ["a\n", "b\n", "c\n"]) sink.write(text);
  expect(written).toEqual(["a\n"]);
  release();
  await sink.settle(1_000);
  expect(written.join("")).toBe("a\nb\nc\n");
  expect(sink.droppedCount()).toBe(0);
});

test("a reader that never goes on costs lines and a bounded memory, whole lines only, and each is counted", async () => {
  const { writer, written, hold, release } = openWriter();
  const sink = openLogSink(writer);
  hold();
  for (let count = 0; count < 30_000; count += 1) sink.write(line);
  const dropped = sink.droppedCount();
  expect(dropped).toBeGreaterThan(15_000);
  release();
  await sink.settle(1_000);
  expect(written.join("").length).toBe((30_000 - dropped) * line.length);
  expect(written.join("").length).toBeLessThan(2 << 20);
  // The next line fits again.
  sink.write("after\n");
  expect(written.at(-1)).toBe("after\n");
});

test("a batch of lines that is dropped counts as its lines", () => {
  const { writer, hold } = openWriter();
  const sink: LogSink = openLogSink(writer);
  hold();
  sink.write(line);
  sink.write(line.repeat(10_000));
  sink.write(line.repeat(500));
  sink.write(line.repeat(7));
  expect([500, 507]).toContain(sink.droppedCount());
});

test("a disk without room costs the line, and the next one is tried", () => {
  const { writer, written, fail } = openWriter();
  const sink = openLogSink(writer);
  fail(new Error("ENOSPC"));
  sink.write("a\n");
  fail(null);
  sink.write("b\n");
  expect([written.join(""), sink.droppedCount()]).toEqual(["b\n", 1]);
});

test("lines for a reader that has left are counted and not kept", async () => {
  const { writer, written, hold, leave } = openWriter();
  const sink = openLogSink(writer);
  hold();
  sink.write("a\n");
  leave();
  await sink.settle(1_000);
  sink.write("b\n");
  expect([written, sink.droppedCount()]).toEqual([["a\n"], 2]);
});

test("nobody waits for a reader longer than was said", async () => {
  const { writer, hold } = openWriter();
  const sink = openLogSink(writer);
  hold();
  sink.write("a\n");
  const startedAt = performance.now();
  await sink.settle(50);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});
