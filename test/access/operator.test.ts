import { expect, test } from "vitest";
import {
  createOperator,
  endSession,
  findBySession,
  findByToken,
  operatorBody,
  revokeOperator,
  sessionLifetimeMs,
  startSession,
} from "../../src/access/operator.ts";
import { makeToken } from "../../src/domain/api-key.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import type { OperatorCredential } from "../../src/store/port/operator.ts";
import { testAuthor } from "../helpers/test-author.ts";
import { openWatchedStore } from "../helpers/watched-store.ts";

const keys = deriveKeys(new Uint8Array(32).fill(7));
const randomBytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));
const entropy = { newId: () => crypto.randomUUID() as string, randomBytes };
const acme = "0b5cf6a4-3f0e-4b86-9f7e-0d6f5a2f7c11" as WorkspaceId;
const { at } = testAuthor;

async function open() {
  const { store, connection } = openWatchedStore();
  await store.insertWorkspace({ id: acme, name: "Acme", plan: "team", disabledAt: null }, null, testAuthor);
  const add = (name: string) =>
    createOperator({ workspaceId: acme, name, role: "admin" }, store, keys, entropy, testAuthor);
  return { store, connection, add };
}

test("9.1 an operator gets a well-formed token, and only its keyed hash is stored", async () => {
  const { store, connection, add } = await open();
  const { operator, token } = await add(" alice ");
  expect(operator).toMatchObject({ name: "alice", role: "admin", workspaceId: acme, revokedAt: null });
  expect(token).toMatch(/^xpz_admin_[0-9a-f]{48}$/);
  expect(await findByToken(token, store, keys, at)).toEqual(operator);
  expect(JSON.stringify(connection.prepare("SELECT * FROM operator").all())).not.toContain(token.slice(10));
  expect(await findByToken(token, store, deriveKeys(new Uint8Array(32)), at)).toBeNull();
});

test("an operator's name must not be empty, too long or contain control characters", async () => {
  const { add } = await open();
  for (const name of ["", "  ", "x".repeat(65), "a\nb"]) {
    await expect(add(name)).rejects.toMatchObject({ code: "invalid_request" });
  }
});

test("a malformed token costs one look-up, like an unknown token, and finds no operator", async () => {
  const { store, add } = await open();
  const { token } = await add("alice");
  const lookUps: OperatorCredential[] = [];
  const counting: Pick<typeof store, "findOperator"> = {
    findOperator(credential, now) {
      lookUps.push(credential);
      return store.findOperator(credential, now);
    },
  };
  const wrong = [makeToken("operator", new Uint8Array(20)), token.slice(1), "", null, undefined, 7, [token], { token }];
  for (const text of wrong) expect(await findByToken(text, counting, keys, at)).toBeNull();
  expect(lookUps).toHaveLength(wrong.length);
  for (const credential of lookUps)
    expect(credential).toMatchObject({ tokenHash: expect.stringMatching(/^[0-9a-f]{64}$/) });
});

test("a session has its own secret, stored as a keyed hash, and ends by expiry, log-out or revocation", async () => {
  const { store, connection, add } = await open();
  const { operator, token } = await add("alice");
  const start = () => startSession(operator, store, keys, randomBytes, testAuthor);
  const [one, two] = [await start(), await start()];
  expect(one).toMatch(/^[0-9a-f]{64}$/);
  expect(one).not.toBe(two);
  expect(JSON.stringify(connection.prepare("SELECT * FROM session").all())).not.toContain(one);
  const find = (secret: string, ms = 0) => findBySession(secret, store, keys, new Date(at.getTime() + ms));
  expect(await find(one, sessionLifetimeMs - 1)).toEqual(operator);
  expect(await find(one, sessionLifetimeMs)).toBeNull();
  expect([await find(token), await findByToken(one, store, keys, at)]).toEqual([null, null]);
  expect([await endSession(one, store, keys, testAuthor), await endSession(one, store, keys, testAuthor)]).toEqual([
    true,
    false,
  ]);
  expect([await find(one), await find(two)]).toEqual([null, operator]);
  await revokeOperator(acme, operator.id, store, testAuthor);
  expect([await find(two), await findByToken(token, store, keys, at)]).toEqual([null, null]);
});

test("expired sessions are deleted at the next log-in", async () => {
  const { store, connection, add } = await open();
  const { operator } = await add("alice");
  await startSession(operator, store, keys, randomBytes, testAuthor);
  const later = { ...testAuthor, at: new Date(at.getTime() + sessionLifetimeMs) };
  await startSession(operator, store, keys, randomBytes, later);
  expect(connection.prepare("SELECT * FROM session").all()).toHaveLength(1);
});

test("an unknown operator cannot be revoked, and a list shows who is revoked", async () => {
  const { store, add } = await open();
  const { operator } = await add("alice");
  const unknown = revokeOperator(acme, crypto.randomUUID(), store, testAuthor);
  await expect(unknown).rejects.toMatchObject({ code: "not_found" });
  const { id } = operator;
  expect(operatorBody(operator)).toEqual({ id, name: "alice", role: "admin", status: "active" });
  const revoked = await revokeOperator(acme, id, store, testAuthor);
  expect(operatorBody(revoked)).toEqual({ id, name: "alice", role: "admin", status: "revoked" });
});
