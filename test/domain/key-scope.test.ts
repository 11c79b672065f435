import { expect, test } from "vitest";
import { areDefault, defaultScopes, mayRead, mayScan, parseScopes } from "../../src/domain/key-scope.ts";

test.each([
  { names: ["enrich"], scopes: ["enrich"] },
  { names: ["watch", "read", "enrich"], scopes: ["enrich", "read", "watch"] },
  { names: ["read", "read"], scopes: ["read"] },
  { names: [], scopes: null },
  { names: [""], scopes: null },
  { names: ["Read"], scopes: null },
  { names: ["read", "write"], scopes: null },
])("the names $names are the scopes $scopes", ({ names, scopes }) => {
  expect(parseScopes(names)).toEqual(scopes);
});

test.each([
  { scopes: defaultScopes, reads: true, scans: true, isDefault: true },
  { scopes: ["enrich"], reads: true, scans: true, isDefault: false },
  { scopes: ["read"], reads: true, scans: false, isDefault: false },
  { scopes: ["watch"], reads: false, scans: false, isDefault: false },
  { scopes: ["enrich", "read", "watch"], reads: true, scans: true, isDefault: false },
] as const)("pipeline 14.4 $scopes: reads $reads, scans $scans", ({ scopes, reads, scans, isDefault }) => {
  expect([mayRead(scopes), mayScan(scopes), areDefault(scopes)]).toEqual([reads, scans, isDefault]);
});
