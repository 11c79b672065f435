import { describe, expect, test } from "vitest";
import { finalState, isPartial, type Outcome } from "../../src/domain/scan.ts";

describe("how a scan ends (contract 5.7, 5.8)", () => {
  test.each<{ outcomes: Outcome[]; state: string; partial: boolean }>([
    { outcomes: ["ok"], state: "completed", partial: false },
    { outcomes: ["no_data"], state: "completed", partial: false },
    { outcomes: ["ok", "no_data", "skipped"], state: "completed", partial: false },
    { outcomes: ["ok", "failed"], state: "completed", partial: true },
    { outcomes: ["no_data", "failed"], state: "completed", partial: true },
    { outcomes: ["failed"], state: "failed", partial: true },
    { outcomes: ["failed", "skipped"], state: "failed", partial: true },
    { outcomes: ["skipped"], state: "failed", partial: false },
    { outcomes: [], state: "failed", partial: false },
  ])("$outcomes ends $state", ({ outcomes, state, partial }) => {
    const runs = outcomes.map((outcome) => ({ outcome }));
    expect(finalState(runs)).toBe(state);
    expect(isPartial(runs)).toBe(partial);
  });
});
