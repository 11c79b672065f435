import type { Token } from "../../src/domain/api-key.ts";

type Respond = (request: Request) => Promise<Response>;
type Headers = Readonly<Record<string, string>>;

export const enrichUrl = "http://127.0.0.1:8080/api/v1/soc/enrich";

/** A client of the exposure API that passes its requests to the router. */
export function socClient(respond: Respond, token: Token | null) {
  const key: Headers = token === null ? {} : { "X-API-Key": token };

  function post(body: string | Uint8Array<ArrayBuffer>, headers: Headers = {}): Promise<Response> {
    const all = { "Content-Type": "application/json", ...key, ...headers };
    return respond(new Request(enrichUrl, { method: "POST", headers: all, body }));
  }

  return {
    post,
    enrich: (value: unknown, headers: Headers = {}) =>
      post(JSON.stringify({ indicator: { type: "email", value } }), headers),
    get: (path: string, headers: Headers = {}) =>
      respond(new Request(`${enrichUrl}${path}`, { headers: { ...key, ...headers } })),
    whoami: (headers: Headers = {}) =>
      respond(new Request(new URL("/api/v1/soc/whoami", enrichUrl).href, { headers: { ...key, ...headers } })),
  };
}

/** The code of an error body; expects exactly the form of docs/contract.md 0.2. */
export async function errorCode(response: Response): Promise<string> {
  const body = (await response.json()) as { error: { code: string; message: string } };
  const isExact =
    JSON.stringify(Object.keys(body)) === '["error"]' && Object.keys(body.error).join() === "code,message";
  const isSentence = typeof body.error.message === "string" && body.error.message.length > 5;
  return isExact && isSentence ? body.error.code : `wrong error body: ${JSON.stringify(body)}`;
}
