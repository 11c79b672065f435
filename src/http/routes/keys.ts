import { createKey, keyBody, parseKeyStatus, revokeKey, rotateKey } from "../../access/api-key.ts";
import type { ApiKey, Token } from "../../domain/api-key.ts";
import { AppError } from "../../domain/error.ts";
import { isId } from "../../domain/workspace.ts";
import type { KeyBody, KeyList, MintedKey } from "../../wire/key.ts";
import { discardBody, readJson } from "../body.ts";
import { authorOf, type OperatorExchange } from "../exchange.ts";
import { parsePage, queryOf } from "../query.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";

/** More than enough for the longest name in any encoding. */
const maxBodyBytes = 16_384;

const wantedBody =
  "The body needs a name; expires_at is an RFC 3339 time or expires_in a duration such as 90d, scopes a list of enrich, " +
  "read and watch, and allowed_ips a list of at most 100 addresses or networks";

/** POST /api/v1/workspaces/{workspace_id}/keys */
export async function mintKey(exchange: OperatorExchange): Promise<PlainResponse> {
  const { request, operator, app } = exchange;
  const { mintRequest } = await import("../../wire/key.ts");
  const parsed = mintRequest.safeParse(await readJson(request, maxBodyBytes));
  if (!parsed.success) {
    throw new AppError("invalid_request", wantedBody);
  }
  const { name, expires_at: expiresAt = null, expires_in: expiresIn, scopes, allowed_ips: allowedIps } = parsed.data;
  const { keys, store } = app;
  const wanted = {
    workspaceId: operator.workspaceId,
    name,
    expiresAt,
    expiresIn: expiresIn ?? null,
    scopes: scopes ?? null,
    allowedIps: allowedIps ?? null,
  };
  return minted(await createKey(wanted, { store, keys, by: authorOf(exchange, 201), entropy: app }), app.now());
}

/** GET /api/v1/workspaces/{workspace_id}/keys */
export async function listKeys({ request, operator, app }: OperatorExchange): Promise<PlainResponse> {
  const query = queryOf(request);
  const status = query.get("status");
  const now = app.now();
  const page = { ...parsePage(query), status: status === null ? null : parseKeyStatus(status), now };
  const { items, nextCursor } = await app.store.listKeys(operator.workspaceId, page);
  const keys = items.map((key) => keyBody(key, now));
  return jsonResponse<KeyList>(200, { keys, next_cursor: nextCursor });
}

/** POST /api/v1/workspaces/{workspace_id}/keys/{key_id}/rotate */
export async function rotate(exchange: OperatorExchange): Promise<PlainResponse> {
  const { request, operator, app } = exchange;
  await discardBody(request);
  const { keys, store } = app;
  const tools = { store, keys, by: authorOf(exchange, 201), entropy: app };
  return minted(await rotateKey(operator.workspaceId, keyIdOf(exchange), tools), app.now());
}

/** DELETE /api/v1/workspaces/{workspace_id}/keys/{key_id} */
export async function revoke(exchange: OperatorExchange): Promise<PlainResponse> {
  const { request, operator, app } = exchange;
  await discardBody(request);
  const by = authorOf(exchange, 200);
  const key = await revokeKey(operator.workspaceId, keyIdOf(exchange), { store: app.store, by });
  return jsonResponse<KeyBody>(200, keyBody(key, app.now()));
}

/** The answer to mint and rotate, the only answer that shows a plaintext (docs/contract.md 1.4). */
function minted({ key, token }: { key: ApiKey; token: Token }, now: Date): PlainResponse {
  return jsonResponse<MintedKey>(201, { ...keyBody(key, now), key: token });
}

/** The key id of the path; empty for a malformed id, which is then answered like an unknown one. */
function keyIdOf({ parameters }: OperatorExchange): string {
  const id = parameters["key_id"] ?? "";
  return isId(id) ? id : "";
}
