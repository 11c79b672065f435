import { auditBody } from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import { isId } from "../../domain/workspace.ts";
import type { AuditList } from "../../wire/audit.ts";
import type { OperatorExchange } from "../exchange.ts";
import { parsePage, queryOf } from "../query.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";

/** GET /api/v1/workspaces/{workspace_id}/audit */
export async function listEvents({ request, operator, app }: OperatorExchange): Promise<PlainResponse> {
  const query = queryOf(request);
  const keyId = query.get("key_id");
  if (keyId !== null && !isId(keyId)) throw new AppError("invalid_request", "The key_id must be the id of a key");
  const { items, nextCursor } = await app.store.listEvents(operator.workspaceId, { ...parsePage(query), keyId });
  return jsonResponse<AuditList>(200, { events: items.map(auditBody), next_cursor: nextCursor });
}
