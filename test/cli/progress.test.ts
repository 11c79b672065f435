import { expect, test } from "vitest";
import { drawProgress } from "../../src/cli/progress.ts";

function stage({ isTerminal, isQuiet = false }: { isTerminal: boolean; isQuiet?: boolean }) {
  const printed: string[] = [];
  let [time, columns] = [0, 80];
  const output = {
    out: () => undefined,
    err: (text: string) => void printed.push(text),
    isTerminal,
    columns: () => columns,
  };
  const progress = drawProgress(output, { isQuiet, now: () => time });
  return {
    printed,
    resize: (to: number) => {
      columns = to;
    },
    end: progress.end,
    at(seconds: number, read: number) {
      time = seconds * 1000;
      progress.update({ bytesRead: read * 50, bytesTotal: 1e9, read, usable: read, written: null });
    },
  };
}

test("the line of progress is never as wide as the terminal, also after a resize, and the bar shrinks first", () => {
  const { at, resize, printed } = stage({ isTerminal: true });
  for (const columns of [200, 100, 80, 60, 40, 20, 2, 80]) {
    resize(columns);
    at(1_000, 8_000_000);
    const line = (printed.at(-1) ?? "").replace("\r\x1b[K", "");
    expect([columns, line.length < columns]).toEqual([columns, true]);
    expect([columns, line.includes("records/s")]).toEqual([columns, columns >= 60]);
    expect([columns, line.startsWith("[")]).toEqual([columns, columns >= 80]);
  }
});

test("without a terminal there is one JSON line each 5 s, and a last one with the final count", () => {
  const { at, end, printed } = stage({ isTerminal: false });
  for (let second = 0; second <= 12; second += 0.25) at(second, second * 100);
  end();
  expect(printed.map((line) => (JSON.parse(line) as { read: number }).read)).toEqual([500, 1000, 1200]);
  end();
  expect(printed).toHaveLength(3);
});

test("nothing is shown when the command is quiet", () => {
  for (const isTerminal of [true, false]) {
    const { at, end, printed } = stage({ isTerminal, isQuiet: true });
    at(10, 1000);
    end();
    expect(printed).toEqual([]);
  }
});
