import type { Token } from "../../src/domain/api-key.ts";

type Respond = (request: Request) => Promise<Response>;
type Headers = Readonly<Record<string, string>>;

export const enrichUrl = "http://127.0.0.1:8080/api/v1/soc/enrich";

/** A client of the exposure API that passes its requests to the router. */
export function socClient(respond: Respond, token: Token | null) {
  const key: Headers = token === null ? {} : { "X-API-Key": token };

  function post(body: string | Uint8Array<ArrayBuffer>, headers: Headers = {}, url = enrichUrl): Promise<Response> {
    const all = { "Content-Type": "application/json", ...key, ...headers };
    return respond(new Request(url, { method: "POST", headers: all, body }));
  }

  const bodyOf = (value: unknown, options?: object) => JSON.stringify({ indicator: { type: "email", value }, options });

  return {
    post,
    enrich: (value: unknown, headers: Headers = {}, query = "") => post(bodyOf(value), headers, enrichUrl + query),
    enrichWith: (value: unknown, options: object, query = "") => post(bodyOf(value, options), {}, enrichUrl + query),
    history: (value: unknown, query = "") =>
      post(bodyOf(value), {}, new URL(`/api/v1/soc/history${query}`, enrichUrl).href),
    bulk: (values: readonly unknown[], headers: Headers = {}) =>
      post(
        JSON.stringify({ indicators: values.map((value) => ({ type: "email", value })) }),
        headers,
        `${enrichUrl}/bulk`,
      ),
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
