import { expect, test } from "vitest";
import { removeExpired } from "../../src/scans/retention.ts";
import type { RetentionLimits } from "../../src/store/store.ts";
import { openTestService } from "../helpers/test-service.ts";

const dayMs = 24 * 3_600_000;
const never = new AbortController().signal;

test("5.11 a finished scan is found until its retention is over, and 404 after", async () => {
  const { store, live, clock, calls, tenant, scanned } = await openTestService();
  const scanId = await scanned("jane.doe@example.com");
  await clock.advance(30 * dayMs);
  expect(await removeExpired(store, live, clock.now, never)).toBe(0);
  expect(await calls.serve(tenant.pollCall(scanId))).toMatchObject({ kind: "completed" });
  await clock.advance(1);
  expect(await removeExpired(store, live, clock.now, never)).toBeGreaterThan(0);
  expect(await calls.serve(tenant.pollCall(scanId))).toMatchObject({ kind: "refused", error: { code: "not_found" } });
});

test("5.11 the ledger outlives the answers: a finding that comes back has its old first_seen", async () => {
  const { store, live, clock, calls, tenant, scanned } = await openTestService();
  await scanned("jane.doe@example.com");
  await clock.advance(399 * dayMs);
  await removeExpired(store, live, clock.now, never);
  const again = await calls.serve(tenant.pollCall(await scanned("jane.doe@example.com")));
  expect(again.kind === "completed" && again.envelope).toContain('"first_seen":"2026-06-01T12:00:00+00:00"');
  await clock.advance(401 * dayMs);
  await removeExpired(store, live, clock.now, never);
  const last = await calls.serve(tenant.pollCall(await scanned("jane.doe@example.com")));
  expect(last.kind === "completed" && last.envelope).toContain('"first_seen":"2028-');
});

/** A store with `rowCount` expired rows. */
function storeOf(rowCount: number) {
  const steps: { limits: RetentionLimits; maxRows: number }[] = [];
  let left = rowCount;
  return {
    steps,
    async removeExpired(limits: RetentionLimits, maxRows: number): Promise<number> {
      steps.push({ limits, maxRows });
      const count = Math.min(left, maxRows);
      left -= count;
      return count;
    },
  };
}

test("many rows go in small steps, with calls served in between", async () => {
  const { live, clock } = await openTestService();
  const store = storeOf(1_200);
  let turnCount = 0;
  const count = () => {
    turnCount += 1;
    if (store.steps.length < 3) setImmediate(count);
  };
  setImmediate(count);
  expect(await removeExpired(store, live, clock.now, never)).toBe(1_200);
  expect(store.steps.map(({ maxRows }) => maxRows)).toEqual([500, 500, 500]);
  expect(turnCount).toBeGreaterThanOrEqual(2);
  expect(store.steps[0]?.limits).toEqual({
    scansFinishedBefore: clock.after(-30 * dayMs),
    answersBefore: clock.after(-30 * dayMs),
    sightingsBefore: clock.after(-400 * dayMs),
  });
});

test("a stopping service ends the removal after the step under way", async () => {
  const { live, clock } = await openTestService();
  const store = storeOf(5_000);
  const stop = new AbortController();
  const removal = removeExpired(store, live, clock.now, stop.signal);
  stop.abort();
  expect(await removal).toBe(500);
  expect(store.steps).toHaveLength(1);
});
