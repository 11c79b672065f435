import { afterEach, expect, test, vi } from "vitest";
import { type AccessEntry, openAccessLog } from "../../src/http/access-log.ts";

const now = () => new Date("2026-06-01T12:00:00Z");
const entry: AccessEntry = {
  method: "POST",
  path: "/api/v1/soc/enrich",
  status: 202,
  durationMs: 1.23456,
  correlationId: "case-4711",
};

afterEach(() => {
  vi.useRealTimers();
});

function open({ isEnabled = true, isPretty = false } = {}) {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const written: string[] = [];
  const forPeople: unknown[] = [];
  const log = openAccessLog({
    write: (text) => void written.push(text),
    log: { info: (fields, message) => void forPeople.push([fields, message]) },
    isPretty: () => isPretty,
    isEnabled: () => isEnabled,
    now,
  });
  return { written, forPeople, log };
}

test("a request is one line of JSON with exactly these fields", () => {
  const { log, written } = open();
  log.write(entry);
  log.write({ ...entry, path: null, method: 'X"\n' });
  log.flush();
  const lines = written.join("").split("\n");
  expect(lines.pop()).toBe("");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      level: 30,
      time: now().getTime(),
      msg: "request",
      method: "POST",
      path: "/api/v1/soc/enrich",
      status: 202,
      ms: 1.23,
      correlation_id: "case-4711",
    },
    expect.objectContaining({ path: null, method: 'X"\n' }),
  ]);
});

test("lines are written in batches after a short delay, without a further request", () => {
  const { log, written } = open();
  log.write(entry);
  log.write(entry);
  expect(written).toEqual([]);
  vi.advanceTimersByTime(250);
  expect(written).toHaveLength(1);
  expect(written[0]?.trimEnd().split("\n")).toHaveLength(2);
  vi.advanceTimersByTime(1_000);
  expect(written).toHaveLength(1);
});

test("a full buffer is written immediately, so that memory stays bounded", () => {
  const { log, written } = open();
  for (let count = 0; count < 1_000; count += 1) log.write(entry);
  expect(written.length).toBeGreaterThanOrEqual(1);
  log.flush();
  expect(written.join("").trimEnd().split("\n")).toHaveLength(1_000);
  for (const text of written) expect(text.endsWith("\n")).toBe(true);
});

test("nothing is written below the level, and a flush of nothing writes nothing", () => {
  const { log, written } = open({ isEnabled: false });
  log.write(entry);
  log.flush();
  expect(written).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("with a log for people the line of a request is one of it, at once", () => {
  const { log, written, forPeople } = open({ isPretty: true });
  log.write(entry);
  const { durationMs, correlationId, ...fields } = entry;
  expect(forPeople).toEqual([[{ ...fields, ms: 1.23, correlation_id: correlationId }, "request"]]);
  log.flush();
  expect(written).toEqual([]);
});
