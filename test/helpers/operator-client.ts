import { createOperator } from "../../src/access/operator.ts";
import type { OperatorRole } from "../../src/domain/operator.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import { testAuthor } from "./test-author.ts";
import type { TestService } from "./test-service.ts";

type Respond = (request: Request) => Promise<Response>;
type Headers = Readonly<Record<string, string>>;
export type ManagementMethod = "GET" | "HEAD" | "OPTIONS" | "POST" | "DELETE";

export const ownHost = "127.0.0.1:8080";

/** A client of sessions and management that passes its requests to the router, always with the same headers. */
export function operatorClient(respond: Respond, always: Headers = {}) {
  return {
    call(method: ManagementMethod, path: string, body?: unknown, headers: Headers = {}): Promise<Response> {
      const json: Headers = body === undefined ? {} : { "Content-Type": "application/json" };
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const content = body === undefined ? {} : { body: text };
      const all = { Host: ownHost, ...json, ...always, ...headers };
      return respond(new Request(`http://${ownHost}${path}`, { method, headers: all, ...content }));
    },
  };
}

/** Adds an operator and returns its token. */
export async function addOperator(
  { store, keys, newId, app, clock }: Pick<TestService, "store" | "keys" | "newId" | "app" | "clock">,
  workspaceId: WorkspaceId,
  name: string,
  role: OperatorRole = "admin",
): Promise<{ id: string; token: string }> {
  const entropy = { newId, randomBytes: app.randomBytes };
  const by = { ...testAuthor, at: clock.now() };
  const { operator, token } = await createOperator({ workspaceId, name, role }, store, keys, entropy, by);
  return { id: operator.id, token };
}
