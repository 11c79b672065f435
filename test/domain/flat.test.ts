import { expect, test } from "vitest";
import type { CaseFacts } from "../../src/domain/case.ts";
import { flatCase, flatPending } from "../../src/domain/flat.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import { address, failedRun, linkedIn, run } from "../helpers/export-case.ts";

const scanId = "8f14e45f-ceea-467d-9a3f-2b4c1d0e7a12" as ScanId;
const indicator = { type: "email", value: address } as const;
const keys =
  "email,status,request_id,headline,total,high,medium,low,partial,sources_asked,sources_answered,sources_failed,categories,titles,reach,digest,finished_at,poll_url";

function facts(titles: readonly string[], about: Partial<CaseFacts> = {}): CaseFacts {
  const findings = titles.map((title, index) => ({
    ...linkedIn,
    title,
    severity: index === 0 ? "high" : "low",
    category: index === 0 ? "paste" : "breach",
  }));
  const by_severity = titles.length === 0 ? {} : { high: 1, ...(titles.length > 1 ? { low: titles.length - 1 } : {}) };
  const exposure = { findings, total: titles.length, by_severity };
  return {
    scanId,
    indicator,
    askedAt: new Date("2026-06-28T22:40:58Z"),
    finishedAt: new Date("2026-06-28T22:41:00Z"),
    reach: "full",
    runs: [run("hibp"), run("misp", { outcome: "skipped" })],
    result: { envelopeTail: JSON.stringify({ indicator, exposure }).slice(1), evidence: "{}", digest: "sha256:5" },
    ...about,
  };
}

const nothing = Object.fromEntries(keys.split(",").map((key) => [key, null]));
const head = { ...nothing, email: address, request_id: scanId };

test("30.1 a completed scan: counts, names sorted, the first five titles", () => {
  const flat = flatCase(facts(["a", "b", "c", "d", "e", "f"], { runs: [failedRun("z"), run("hibp"), failedRun("b")] }));
  expect(Object.keys(flat).join()).toBe(keys);
  expect(flat).toEqual({
    ...head,
    status: "completed",
    headline: "6 findings (1 high, 5 low); 1 of 3 sources answered; could not look: z (timeout), b (timeout)",
    total: 6,
    high: 1,
    medium: 0,
    low: 5,
    partial: true,
    sources_asked: 3,
    sources_answered: 1,
    sources_failed: "b z",
    categories: "breach paste",
    titles: "a; b; c; d; e",
    reach: "full",
    digest: "sha256:5",
    finished_at: "2026-06-28T22:41:00+00:00",
  });
});

test("30.1 no finding: empty texts and zeros, of inside reach", () => {
  expect(flatCase(facts([], { reach: "inside" }))).toMatchObject({
    headline: "No finding; 1 of 1 sources answered; outside sources were not asked",
    ...{ total: 0, high: 0, medium: 0, low: 0, partial: false, sources_asked: 1, sources_answered: 1 },
    ...{ sources_failed: "", categories: "", titles: "", reach: "inside", poll_url: null },
  });
});

test("30.1 a failed scan has no numbers: a 0 would read as clean", () => {
  const flat = flatCase(facts([], { result: null, runs: [failedRun("hibp"), failedRun("a")] }));
  expect(Object.keys(flat).join()).toBe(keys);
  const known = { sources_failed: "a hibp", reach: "full", finished_at: "2026-06-28T22:41:00+00:00" };
  expect(flat).toEqual({ ...head, status: "failed", ...known });
});

test("30.1 a pending scan has only where to ask again", () => {
  const flat = flatPending({ scanId, indicator }, "running", "/path");
  expect(Object.keys(flat).join()).toBe(keys);
  expect(flat).toEqual({ ...head, status: "running", poll_url: "/path" });
});
