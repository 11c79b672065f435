import { makeToken, parseToken, type Token } from "../domain/api-key.ts";
import type { Author } from "../domain/audit.ts";
import { AppError } from "../domain/error.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import type { Operator, OperatorRole } from "../domain/operator.ts";
import { parseName, type WorkspaceId } from "../domain/workspace.ts";
import type { NewOperator, OperatorStore } from "../store/port/operator.ts";
import type { OperatorBody } from "../wire/operator.ts";
import type { Entropy } from "./api-key.ts";

/** Lifetime of a session (docs/contract.md 9.9). */
export const sessionLifetimeMs = 8 * 3_600_000;

/**
 * Adds an operator to a workspace. The token is returned only here. Throws `invalid_request` for a bad name and
 * `conflict` for a name already used in the workspace.
 */
export async function createOperator(
  request: { readonly workspaceId: WorkspaceId; readonly name: string; readonly role: OperatorRole },
  store: Pick<OperatorStore, "insertOperator">,
  keys: Pick<DerivedKeys, "token">,
  entropy: Pick<Entropy, "newId" | "randomBytes">,
  by: Author,
): Promise<{ operator: Operator; token: Token }> {
  const { operator, token } = newOperator(request, keys, entropy, by.at);
  return { operator: await store.insertOperator(operator, by), token };
}

/** Builds an operator to store, and its token. Throws `invalid_request` for a bad name. */
export function newOperator(
  { workspaceId, name: text, role }: Parameters<typeof createOperator>[0],
  keys: Pick<DerivedKeys, "token">,
  { newId, randomBytes }: Pick<Entropy, "newId" | "randomBytes">,
  createdAt: Date,
): { operator: NewOperator; token: Token } {
  const name = parseName(text);
  if (name === null) {
    throw new AppError("invalid_request", "The name of an operator needs 1 to 64 characters and no control characters");
  }
  const token = makeToken("operator", randomBytes(20));
  const tokenHash = keyedHash(keys.token, token);
  return { operator: { id: newId(), workspaceId, name, role, tokenHash, createdAt }, token };
}

/** Revokes an operator. Its token and sessions stop working. Throws `not_found`. */
export async function revokeOperator(
  workspaceId: WorkspaceId,
  id: string,
  store: Pick<OperatorStore, "revokeOperator">,
  by: Author,
): Promise<Operator> {
  const operator = await store.revokeOperator(workspaceId, id, by);
  if (operator === null) throw new AppError("not_found", "There is no operator with this id");
  return operator;
}

/** Finds the operator of a token, or null. Constant-time: a malformed token is hashed and looked up, too. */
export function findByToken(
  token: unknown,
  store: Pick<OperatorStore, "findOperator">,
  keys: Pick<DerivedKeys, "token">,
  now: Date,
): Promise<Operator | null> {
  const parsed = parseToken("operator", typeof token === "string" ? token : "");
  return store.findOperator({ tokenHash: keyedHash(keys.token, parsed ?? "") }, now);
}

/** Finds the operator of an unexpired session, or null. */
export function findBySession(
  secret: string,
  store: Pick<OperatorStore, "findOperator">,
  keys: Pick<DerivedKeys, "token">,
  now: Date,
): Promise<Operator | null> {
  return store.findOperator({ sessionHash: sessionHash(secret, keys) }, now);
}

/** Starts a session of `operator`. Returns its secret, 64 hex digits, which is not stored. */
export async function startSession(
  operator: Operator,
  store: Pick<OperatorStore, "startSession">,
  keys: Pick<DerivedKeys, "token">,
  randomBytes: Entropy["randomBytes"],
  by: Author,
): Promise<string> {
  const secret = Buffer.from(randomBytes(32)).toString("hex");
  const expiresAt = new Date(by.at.getTime() + sessionLifetimeMs);
  await store.startSession({ hash: sessionHash(secret, keys), operator, expiresAt }, by);
  return secret;
}

/** Ends a session; false when there was no such session. */
export function endSession(
  secret: string,
  store: Pick<OperatorStore, "endSession">,
  keys: Pick<DerivedKeys, "token">,
  by: Author,
): Promise<boolean> {
  return store.endSession(sessionHash(secret, keys), by);
}

/** Hashes a session secret. Tokens and sessions share a key; the prefix keeps their hashes apart. */
function sessionHash(secret: string, keys: Pick<DerivedKeys, "token">): string {
  return keyedHash(keys.token, `session\0${secret}`);
}

/** The object printed by `operators list`. */
export function operatorBody({ id, name, role, revokedAt }: Operator): OperatorBody {
  return { id, name, role, status: revokedAt === null ? "active" : "revoked" };
}
