import { join } from "node:path";
import { beginHead, keepHead } from "../../src/access/audit-head.ts";
import { type Author, auditEvent } from "../../src/domain/audit.ts";
import { defaultScopes } from "../../src/domain/key-scope.ts";
import type { OperatorRole } from "../../src/domain/operator.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import type { Store } from "../../src/store/port/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { testAuditKey, testAuthor } from "./test-author.ts";

const hourMs = 3_600_000;

function id(kind: number, number: number): string {
  return `0000000${kind}-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

/** Ids of the objects in the directory. */
export const audited = {
  acme: id(1, 1) as WorkspaceId,
  other: id(1, 2) as WorkspaceId,
  activeKey: id(2, 1),
  revokedKey: id(2, 2),
  rotatedKey: id(2, 3),
  nextKey: id(2, 4),
  viewer: id(3, 1),
  revokedOperator: id(3, 2),
} as const;

export function headFileOf(folder: string): string {
  return join(folder, "audit.head");
}

/** Opens the store of a directory that `makeAuditedDirectory` made. */
export function openAudited(folder: string): Store {
  return SqliteStore.open(folder, () => ({ audit: testAuditKey })).store;
}

/**
 * Makes a directory with workspaces, keys and operators in every state, some look-up events of one batch, and the kept
 * head. `atHalf` is called when half of this is done and everything is closed. With `isShortened`, the oldest half of
 * the trail is removed behind a checkpoint.
 */
export async function makeAuditedDirectory(
  folder: string,
  { isShortened, atHalf }: { isShortened: boolean; atHalf?: () => void },
): Promise<void> {
  const headFile = headFileOf(folder);
  let store = SqliteStore.create(folder, "check", testAuditKey);
  const { acme, other } = audited;
  let hour = 0;
  const by = (): Author => ({ ...testAuthor, at: new Date(testAuthor.at.getTime() + hourMs * hour++) });
  const workspace = (workspaceId: WorkspaceId, name: string) => ({
    id: workspaceId,
    name,
    plan: "team" as const,
    disabledAt: null,
  });
  const insertKey = (keyId: string, name: string) =>
    store.insertKey(acme, { ...secretOf(keyId), name, expiresAt: null, scopes: defaultScopes, allowedIps: [] }, by());
  const insertOperator = (operatorId: string, name: string, role: OperatorRole) =>
    store.insertOperator(
      { id: operatorId, workspaceId: acme, name, role, tokenHash: `hash of ${operatorId}`, createdAt: testAuthor.at },
      by(),
    );
  await store.insertWorkspace(workspace(acme, "acme"), null, by());
  await beginHead(store, headFile);
  await insertKey(audited.activeKey, "siem");
  await insertKey(audited.revokedKey, "soar");
  await insertOperator(audited.viewer, "alice", "viewer");
  await insertOperator(audited.revokedOperator, "bob", "admin");
  await store.appendEvents(lookUps(12, by()));
  await store.revokeKey(acme, audited.revokedKey, by());
  await keepHead(store, headFile);
  store.close();
  atHalf?.();

  store = openAudited(folder);
  const half = testAuthor.at.getTime() + hourMs * hour;
  await insertKey(audited.rotatedKey, "cron");
  await store.rotateKey(acme, audited.rotatedKey, secretOf(audited.nextKey), by());
  await store.revokeOperator(acme, audited.revokedOperator, by());
  await store.insertWorkspace(workspace(other, "other"), null, by());
  await store.changeWorkspace(other, { plan: "starter" }, by());
  await store.changeWorkspace(other, { disabledAt: by().at }, by());
  await store.appendEvents(lookUps(20, by()));
  const { row: keptRow } = await store.auditHead();
  await keepHead(store, headFile);
  if (isShortened) await store.removeOldEvents({ before: new Date(half), now: by().at, keptRow }, by());
  await store.appendEvents(lookUps(3, by()));
  await keepHead(store, headFile);
  store.close();
}

function secretOf(keyId: string) {
  return { id: keyId, prefix: "xpz_live_0000", hash: `hash of ${keyId}`, createdAt: testAuthor.at, createdBy: "cli" };
}

function lookUps(count: number, by: Author) {
  return Array.from({ length: count }, (_, index) =>
    auditEvent({ ...by, actor: `key:${audited.activeKey}`, ip: "203.0.113.7", outcome: "200" }, "enrich.requested", {
      workspaceId: audited.acme,
      keyId: audited.activeKey,
      keyName: "siem",
      requestId: id(4, index),
      indicatorHmac: String(index % 10).repeat(64),
    }),
  );
}
