import { expect, test } from "vitest";
import { namedChange, newWorkspaceFault } from "../../src/domain/workspace-change.ts";
import { acme } from "../helpers/call-facts.ts";

const disabledAt = new Date("2026-06-01T12:00:00Z");

test.each([
  { change: { plan: "team" } as const, action: "workspace.plan_changed", detail: "team" },
  { change: { disabledAt }, action: "workspace.disabled", detail: null },
  { change: { disabledAt: null }, action: "workspace.enabled", detail: null },
])("a change is named $action", ({ change, action, detail }) => {
  expect(namedChange(change)).toEqual({ action, detail });
});

test("a name is given to one workspace only", () => {
  expect(newWorkspaceFault(null)).toBeNull();
  expect(newWorkspaceFault(acme)?.code).toBe("conflict");
});
