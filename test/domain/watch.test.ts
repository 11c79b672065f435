import { describe, expect, test } from "vitest";
import {
  changedCorpora,
  compareCheck,
  firstScanAt,
  type HeldFinding,
  nextFailing,
  nextScanAt,
  parseLabel,
  parseWatchChange,
} from "../../src/domain/watch.ts";
import { eventId, eventNumber, thinEvent } from "../../src/domain/watch-event.ts";
import { nextAttemptAt, wantsEvent } from "../../src/domain/webhook.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";

const now = new Date("2026-06-01T12:00:00Z");
const hour = 3_600_000;
const own = "11111111-1111-4111-8111-111111111111" as WorkspaceId;
const foreign = "22222222-2222-4222-8222-222222222222" as WorkspaceId;
const held = (source: string, hash: string): HeldFinding => ({ source, hash, severity: "medium" });

describe("20.4 a check compared with the one before", () => {
  const before = [held("a", "1"), held("a", "2"), held("b", "3"), held("c", "4")];
  const none: ReadonlySet<string> = new Set();

  test("what is new, what is gone, and what a source that failed says nothing about", () => {
    const found = [held("a", "2"), held("a", "5"), held("b", "6")];
    const check = { found, answered: new Set(["a"]), present: new Set(["a", "b", "c"]), cut: none };
    const { fresh, gone } = compareCheck(before, check);
    expect([fresh, gone]).toEqual([[held("a", "5")], [held("a", "1")]]);
  });

  test("a source that is gone holds nothing, one that is not known keeps all", () => {
    const check = { found: [], answered: none, cut: none };
    expect(compareCheck(before, { ...check, present: new Set(["a", "b"]) }).gone).toEqual([held("c", "4")]);
    expect(compareCheck(before, { ...check, present: null }).gone).toEqual([]);
  });

  test("an answer that was cut removes nothing", () => {
    const check = { found: [], answered: new Set(["a"]), present: null, cut: new Set(["a"]) };
    expect(compareCheck(before, check).gone).toEqual([]);
  });

  test("another severity is no event, and is held from then on", () => {
    const found = [{ ...held("a", "1"), severity: "high" as const }];
    const { fresh, changed } = compareCheck(before, { found, answered: new Set(["a"]), present: null, cut: none });
    expect([fresh, changed]).toEqual([[], found]);
  });
});

test("20.4 an hour of failures is told once, and so is the answer after it", () => {
  const at = (hours: number) => new Date(now.getTime() + hours * hour);
  const first = nextFailing(null, true, at(0));
  expect(first).toEqual({ failing: { since: at(0), isTold: false }, event: null });
  expect(nextFailing(first.failing, true, at(0.99)).event).toBeNull();
  const told = nextFailing(first.failing, true, at(1));
  expect(told.event).toBe("source.failing");
  expect(nextFailing(told.failing, true, at(2)).event).toBeNull();
  expect(nextFailing(told.failing, false, at(3))).toEqual({ failing: null, event: "source.recovered" });
  // One answer within the hour, and it was not all checks.
  expect(nextFailing(first.failing, false, at(0.5))).toEqual({ failing: null, event: null });
});

test("20.5 an id names the number in its workspace and no other", () => {
  for (const number of [0, 1, 0xff_ffff, 2 ** 47]) {
    const id = eventId(own, number);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect([eventNumber(own, id), eventNumber(foreign, id)]).toEqual([number, null]);
  }
  expect(eventNumber(own, "x")).toBeNull();
});

test("20.3 first scans of many addresses spread evenly over the interval, and later ones keep their place", () => {
  const minutes = Array.from(
    { length: 600 },
    (_, number) => (firstScanAt(number, now, hour).getTime() - now.getTime()) / 60_000,
  );
  const perTenth = Map.groupBy(minutes, (minute) => Math.floor(minute / 6));
  expect([...perTenth.values()].every(({ length }) => length >= 55 && length <= 65)).toBe(true);
  const due = new Date(now.getTime() - 60_000);
  expect(nextScanAt(due, now, hour)).toEqual(new Date(due.getTime() + hour));
  expect(nextScanAt(new Date(0), now, hour)).toEqual(new Date(now.getTime() + hour));
});

test("34 corpora that are new, gone or changed", () => {
  expect(changedCorpora({ a: "1", b: "1", c: "1" }, { a: "1", b: "2", d: "1" })).toEqual(["b", "c", "d"]);
});

test("20.2 a label is text of 1 to 64 characters", () => {
  expect([parseLabel(null), parseLabel("staff"), parseLabel("ü".repeat(64))]).toEqual([null, "staff", "ü".repeat(64)]);
  for (const label of ["", "x".repeat(65), "a\nb", 3, {}]) expect(() => parseLabel(label)).toThrow(/label/);
});

test("20.2 a change has 1 to 1000 indicators", () => {
  const indicators = Array.from({ length: 1001 }, (_, index) => ({ type: "email", value: `a${index}@example.com` }));
  expect(() => parseWatchChange({ indicators })).toThrow(/1 to 1000/);
  expect(parseWatchChange({ indicators: indicators.slice(1) }).indicators).toHaveLength(1000);
});

describe("20.6 webhooks", () => {
  test("attempts come after the given times with up to a tenth more, and end", () => {
    const delays = Array.from({ length: 10 }, (_, index) => nextAttemptAt(index + 1, now, 0));
    const seconds = delays.map((at) => (at === null ? null : (at.getTime() - now.getTime()) / 1000));
    expect(seconds).toEqual([5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400, null]);
    expect(nextAttemptAt(1, now, 1)).toEqual(new Date(now.getTime() + 5500));
  });

  test("workspaces by id or name in any case, and types", () => {
    const workspace = { id: own, name: "Acme" };
    expect(wantsEvent({ workspaces: null, types: null }, workspace, "exposure.new")).toBe(true);
    expect(wantsEvent({ workspaces: ["acme"], types: ["exposure.new"] }, workspace, "exposure.new")).toBe(true);
    expect(wantsEvent({ workspaces: [own], types: ["watch.checked"] }, workspace, "exposure.new")).toBe(false);
    expect(wantsEvent({ workspaces: [foreign], types: null }, workspace, "exposure.new")).toBe(false);
  });

  test("a thin body holds no address, not even in its label", () => {
    const indicator = { type: "email" as const, value: "jane.doe@example.com" };
    const about = { id: eventId(own, 1), at: "2026-06-01T12:00:00+00:00", request_id: null, indicator, findings: [] };
    const thin = thinEvent({ ...about, type: "exposure.new", label: "jane.doe@example.com" });
    expect(thin).toEqual({
      type: "exposure.new",
      timestamp: about.at,
      data: { id: about.id, label: null, request_id: null, counts: { new: 0, high: 0, medium: 0, low: 0 } },
    });
  });
});
