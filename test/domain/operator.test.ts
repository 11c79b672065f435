import { expect, test } from "vitest";
import { newOperatorFault } from "../../src/domain/operator.ts";

const revokedAt = new Date("2026-06-01T12:00:00Z");

test.each([
  { what: "the first one", operators: [], code: null },
  { what: "another name", operators: [{ name: "John", revokedAt: null }], code: null },
  { what: "the same name", operators: [{ name: "Jane", revokedAt: null }], code: "conflict" },
  { what: "the same name in other letters", operators: [{ name: "JANE", revokedAt: null }], code: "conflict" },
  { what: "the name of a revoked one", operators: [{ name: "Jane", revokedAt }], code: null },
])("a new operator: $what", ({ operators, code }) => {
  expect(newOperatorFault("Jane", operators)?.code ?? null).toBe(code);
});
