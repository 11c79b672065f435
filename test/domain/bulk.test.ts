import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BulkState, bulkItems, bulkResult, countRows, decideBulk, readList } from "../../src/domain/bulk.ts";
import type { Decision } from "../../src/domain/freshness.ts";
import type { Indicator } from "../../src/domain/indicator.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import { atOnce } from "../../src/domain/steps.ts";

const idOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}` as ScanId;

function read(values: readonly unknown[], type: unknown = "email") {
  let count = 0;
  const tools = {
    hashOf: ({ value }: Indicator) => `hash of ${value}`,
    newScanId: () => {
      count += 1;
      return idOf(count);
    },
  };
  return atOnce(
    readList(
      values.map((value) => ({ type, value })),
      tools,
    ),
  );
}

const nobodyElse = { mayScan: true, startedEarlier: () => null };

describe("19.2 the rows of a list", () => {
  test("keep their order, equal ones are one, and a bad one spoils no other", () => {
    const list = read(["A@example.com", "no", "a@EXAMPLE.com", 5, "b@example.com"]);
    expect(list.distinct.map(({ indicator }) => indicator.value)).toEqual(["a@example.com", "b@example.com"]);
    expect(list.rows).toMatchObject([
      { kind: "indicator", at: 0 },
      { kind: "invalid", type: "email", value: "no", error: { code: "invalid_email" } },
      { kind: "indicator", at: 0 },
      { kind: "invalid", value: null, error: { code: "invalid_email" } },
      { kind: "indicator", at: 1 },
    ]);
    expect(read(["1.2.3.4"], "ip").rows).toMatchObject([{ error: { code: "unsupported_indicator" } }]);
  });

  test("of any text are as many as were given, and each distinct one is there once", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.emailAddress(), fc.string(), fc.constantFrom("a@x.example", "A@X.example"))),
        (values) => {
          const { rows, distinct } = read(values);
          expect(rows).toHaveLength(values.length);
          expect(new Set(distinct.map(({ indicatorHash }) => indicatorHash)).size).toBe(distinct.length);
          const used = new Set(rows.flatMap((row) => (row.kind === "indicator" ? [row.at] : [])));
          expect([...used].sort((a, b) => a - b)).toEqual(distinct.map((_, at) => at));
        },
      ),
    );
  });

  test("a text that is no address is kept short and well formed", () => {
    const [row] = read([`${"x".repeat(319)}\ud83d\ude00`]).rows;
    expect(row).toMatchObject({ kind: "invalid" });
    const value = row?.kind === "invalid" ? row.value : null;
    expect(value).toHaveLength(320);
    expect(value?.isWellFormed()).toBe(true);
  });
});

describe("19.3 what becomes of each distinct indicator", () => {
  const { distinct, rows } = read(["a@example.com", "b@example.com", "c@example.com", "no"]);
  const since = new Date(0);
  const decisions: Decision[] = [
    { kind: "hit", scanId: idOf(8) },
    { kind: "join", scanId: idOf(9), freshSince: since },
    { kind: "start" },
  ];

  test("is what a single call would get", () => {
    expect(decideBulk(distinct, decisions, nobodyElse)).toEqual([
      { kind: "hit", scanId: idOf(8), freshSince: null },
      { kind: "join", scanId: idOf(9), freshSince: since },
      { kind: "start", scanId: idOf(3), freshSince: null },
    ]);
  });

  test("a scan that an earlier call of the batch started is joined", () => {
    const startedEarlier = (hash: string) => (hash.includes("c@") ? { scanId: idOf(7), freshSince: since } : null);
    expect(decideBulk(distinct, decisions, { mayScan: true, startedEarlier })[2]).toEqual({
      kind: "join",
      scanId: idOf(7),
      freshSince: since,
    });
  });

  test("who may start nothing gets what is there, and no row reads as clean", () => {
    const answers = decideBulk(distinct, decisions, { ...nobodyElse, mayScan: false });
    expect(answers.map(({ kind }) => kind)).toEqual(["hit", "not_cached", "not_cached"]);
    const results = bulkItems({ rows, distinct }, answers).map((item) => bulkResult({ ...item, scan: null }));
    expect(results.map(({ status, total, partial }) => [status, total, partial])).toEqual([
      // The scan of the hit is gone meanwhile.
      ["failed", null, null],
      ["not_cached", null, null],
      ["not_cached", null, null],
      ["invalid", null, null],
    ]);
    expect(countRows(results)).toEqual({ completed: 0, pending: 0, failed: 1, invalid: 1 });
  });
});

describe("32 a row with a scan", () => {
  const item = { type: "email", value: "a@example.com", indicatorHash: "hash", scanId: idOf(1), error: null };
  const scan: NonNullable<BulkState["scan"]> = {
    state: "completed",
    reach: "full",
    isPartial: true,
    digest: "sha256:00",
    total: 3,
    failedSources: [{ source: "hibp", error: "timeout" }],
    envelopeTail: null,
  };

  test("that is completed has all members, and says which sources failed", () => {
    const found = { partial: true, failed_sources: ["hibp"], reach: "full", digest: "sha256:00", total: 3 };
    expect(bulkResult({ ...item, scan })).toMatchObject({
      status: "completed",
      request_id: idOf(1),
      error: null,
      ...found,
    });
  });

  test.each(["queued", "scanning", "running"] as const)("that is %s has no numbers", (state) => {
    const none = { partial: null, failed_sources: [], reach: null, digest: null, total: null };
    expect(bulkResult({ ...item, scan: { ...scan, state, failedSources: [] } })).toMatchObject({
      status: "scanning",
      ...none,
    });
  });

  test("that failed has no numbers and says why", () => {
    const failed = bulkResult({ ...item, scan: { ...scan, state: "failed" } });
    expect(failed).toMatchObject({
      status: "failed",
      error: { code: "scan_failed" },
      failed_sources: ["hibp"],
      total: null,
    });
  });
});
