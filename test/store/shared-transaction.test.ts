import { expect, test } from "vitest";
import { AppError } from "../../src/domain/error.ts";
import { shareTransactions, type Write } from "../../src/store/sqlite/shared-transaction.ts";
import { turnOver } from "../helpers/manual-clock.ts";

/** Notes what is done in which transaction; one whose work throws is rolled back. */
function openBench(fault: () => unknown = () => null) {
  const done: string[] = [];
  const transactions: string[][] = [];
  const write: Write = async (work) => {
    const before = done.length;
    try {
      const result = work();
      const error = fault();
      if (error !== null) throw error;
      transactions.push(done.slice(before));
      return result;
    } catch (error) {
      done.length = before;
      throw error;
    }
  };
  const share = shareTransactions(write);
  return {
    transactions,
    save: (name: string, check: () => void = () => {}) =>
      share(() => {
        done.push(name);
        check();
        return `${name} is saved`;
      }),
  };
}

function throwing(error: Error): () => never {
  return () => {
    throw error;
  };
}

test("writes of one turn share a transaction, in their order, and each gets its own result after the commit", async () => {
  const { transactions, save } = openBench();
  const committed: number[] = [];
  const results = ["a", "b", "c"].map((name) => save(name).finally(() => committed.push(transactions.length)));
  expect(transactions).toEqual([]);
  expect(await Promise.all(results)).toEqual(["a is saved", "b is saved", "c is saved"]);
  expect(await save("d")).toBe("d is saved");
  expect(transactions).toEqual([["a", "b", "c"], ["d"]]);
  expect(committed).toEqual([1, 1, 1]);
});

test("a write that throws fails alone: the others are committed without it", async () => {
  const { transactions, save } = openBench();
  const results = [save("a"), save("b", throwing(new Error("a row is refused"))), save("c")];
  expect(await Promise.allSettled(results)).toMatchObject([
    { status: "fulfilled", value: "a is saved" },
    { status: "rejected", reason: new Error("a row is refused") },
    { status: "fulfilled", value: "c is saved" },
  ]);
  expect(transactions).toEqual([["a"], ["c"]]);
});

test("a database that fails fails all, once, and is tried again for what comes later", async () => {
  const faults = [new AppError("storage_full", "The disk is full")];
  const { transactions, save } = openBench(() => faults.shift() ?? null);
  const results = await Promise.allSettled([save("a"), save("b")]);
  expect(results).toMatchObject([{ reason: { code: "storage_full" } }, { reason: { code: "storage_full" } }]);
  expect(await save("c")).toBe("c is saved");
  expect(transactions).toEqual([["c"]]);
});

test("many writes are several transactions, between which other work gets its turn", async () => {
  const { transactions, save } = openBench();
  const results = Array.from({ length: 600 }, (_, index) => save(String(index)));
  const seen: number[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(transactions.length);
  }
  await Promise.all(results);
  await turnOver();
  expect(transactions.map(({ length }) => length)).toEqual([256, 256, 88]);
  expect(new Set(seen).size).toBeGreaterThan(2);
});

test("a transaction takes no further work after some milliseconds, and the order stays", async () => {
  const { transactions, save } = openBench();
  const busy = () => {
    const until = performance.now() + 4;
    while (performance.now() < until);
  };
  const names = Array.from({ length: 9 }, (_, index) => String(index));
  expect(await Promise.all(names.map((name) => save(name, busy)))).toEqual(names.map((name) => `${name} is saved`));
  expect(transactions.flat()).toEqual(names);
  expect(Math.max(...transactions.map(({ length }) => length))).toBeLessThanOrEqual(2);
});
