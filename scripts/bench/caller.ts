/** Request bodies: `before`, a zero-padded number, `after`. */
export type Bodies = {
  readonly before: string;
  readonly after: string;
  readonly count: number;
  readonly digits: number;
};

/** The body that a client of the exposure API sends. */
export type Caller = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: Bodies;
};

const digits = 6;

/** Requests the addresses 0 to `count` of a name. */
export function caller(key: string, name: string, count: number): Caller {
  const [before = "", after = ""] = bodyOf(`${name}-#@bench.example`).split("#");
  return {
    path: "/api/v1/soc/enrich",
    headers: { "X-API-Key": key, "Content-Type": "application/json" },
    bodies: { before, after, count, digits },
  };
}

export function addressOf(name: string, index: number): string {
  return `${name}-${String(index).padStart(digits, "0")}@bench.example`;
}

/** Sends one request with fetch and reads the answer; `wait` is the Prefer header. Throws on another status. */
export async function ask(
  url: string,
  key: string,
  address: string,
  { wait, status }: { readonly wait?: number; readonly status: number },
): Promise<string> {
  const response = await fetch(`${url}/api/v1/soc/enrich`, {
    method: "POST",
    headers: {
      "X-API-Key": key,
      "Content-Type": "application/json",
      ...(wait === undefined ? {} : { Prefer: `wait=${wait}` }),
    },
    body: bodyOf(address),
  });
  const text = await response.text();
  if (response.status !== status) throw new Error(`${address}: ${response.status} ${text}`);
  return text;
}

function bodyOf(address: string): string {
  return JSON.stringify({ indicator: { type: "email", value: address } });
}
