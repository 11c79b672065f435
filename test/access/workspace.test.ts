import { expect, test } from "vitest";
import { createWorkspace, getWorkspace, workspaceBody } from "../../src/access/workspace.ts";
import { AppError } from "../../src/domain/error.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";

function open() {
  const store = SqliteStore.inMemory(testAuditKey);
  let count = 0;
  const newId = () => {
    count += 1;
    return `11111111-0000-4000-8000-${String(count).padStart(12, "0")}`;
  };
  const outcomeOf = (name: string) =>
    createWorkspace(name, "team", store, newId, testAuthor).then(
      (workspace) => workspace.name,
      (error: unknown) => (error instanceof AppError ? error.code : String(error)),
    );
  return { store, newId, outcomeOf };
}

test.each([
  { name: "Example", outcome: "Example" },
  { name: "  Example Ltd \n", outcome: "Example Ltd" },
  { name: "x".repeat(64), outcome: "x".repeat(64) },
  { name: "Bu\u0308cher", outcome: "Bücher" },
  { name: "", outcome: "invalid_request" },
  { name: "   ", outcome: "invalid_request" },
  { name: "x".repeat(65), outcome: "invalid_request" },
  { name: "a\u0007b", outcome: "invalid_request" },
  { name: "11111111-0000-4000-8000-000000000001", outcome: "invalid_request" },
  { name: " 3F2A8C1E-0000-4000-8000-ABCDEFABCDEF ", outcome: "invalid_request" },
])("12.3 a workspace named '$name' ends as $outcome", async ({ name, outcome }) => {
  expect(await open().outcomeOf(name)).toBe(outcome);
});

test("12.3 names are unique, ignoring case and Unicode composition", async () => {
  const { outcomeOf } = open();
  expect(await outcomeOf("Bücher")).toBe("Bücher");
  for (const name of ["Bücher", "BÜCHER", "bu\u0308cher", " Bücher "]) expect(await outcomeOf(name)).toBe("conflict");
});

test("a workspace is found only by its id, or by its name in any case", async () => {
  const { store, newId } = open();
  const workspace = await createWorkspace("Example", "enterprise", store, newId, testAuthor);
  expect(workspace).toMatchObject({ name: "Example", plan: "enterprise", disabledAt: null });
  expect(await getWorkspace(workspace.id, store)).toEqual(workspace);
  expect(await getWorkspace("eXAMPLE", store)).toEqual(workspace);
  for (const name of ["Exampl", "%", "", "11111111-0000-4000-8000-00000000000f"]) {
    await expect(getWorkspace(name, store)).rejects.toMatchObject({ code: "not_found" });
  }
});

test("a workspace is not created when its first operator cannot be stored", async () => {
  const { store, newId } = open();
  const createdAt = new Date("2026-06-01T12:00:00Z");
  const operator = (workspaceId: WorkspaceId) => {
    return { id: "operator", workspaceId, name: "Jane", role: "admin" as const, tokenHash: "hash", createdAt };
  };
  await createWorkspace("First", "team", store, newId, testAuthor, operator);
  await expect(createWorkspace("Second", "team", store, newId, testAuthor, operator)).rejects.toThrow();
  expect((await store.listWorkspaces()).map(({ name }) => name)).toEqual(["First"]);
});

test.each([
  { disabledAt: null, status: "active" },
  { disabledAt: new Date("2026-06-01T12:00:00Z"), status: "disabled" },
])("12.3 the printed object has four keys: $status", ({ disabledAt, status }) => {
  const id = "11111111-0000-4000-8000-000000000001" as WorkspaceId;
  expect(JSON.stringify(workspaceBody({ id, name: "Example", plan: "team", disabledAt }))).toBe(
    `{"id":"${id}","name":"Example","plan":"team","status":"${status}"}`,
  );
});
