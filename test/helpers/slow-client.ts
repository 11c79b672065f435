import { type RawClient, rawClient } from "./raw-client.ts";

/** How a client is too slow: what it sends at once, and what it sends twice a second. */
export type Slowness = { readonly first: string; readonly drip: string | null };

const head = (length: number) =>
  `POST /api/v1/soc/enrich HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

/** Every kind of client that is too slow, once it is connected. */
export const slowRequests: Readonly<Record<string, Slowness>> = {
  "half a request line": { first: "POST /api/v1/so", drip: null },
  "a head that drips": { first: "GET /healthz HTTP/1.1\r\nHost: a\r\n", drip: "X-A: b\r\n" },
  "a body that stalls": { first: `${head(50)}{`, drip: null },
  "a body that drips": { first: head(10_000), drip: " " },
  "chunks that drip": { first: head(1).replace("Content-Length: 1", "Transfer-Encoding: chunked"), drip: "1\r\n \r\n" },
  "a refused request whose body goes on": { first: head(10_000_000).replace("/soc/enrich", "/nowhere"), drip: "x" },
  "an idle connection after an answer": { first: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", drip: null },
};

/** The same before it is connected over TLS: the bytes are those of a record that never ends. */
export const slowHandshakes: Readonly<Record<string, Slowness>> = {
  "no handshake": { first: "", drip: null },
  "half a handshake": { first: "\x16\x03\x01\x02\x00\x01", drip: null },
  "a handshake that drips": { first: "\x16\x03\x01\x02\x00\x01", drip: "\x01" },
};

export async function openSlowClient(url: string, { first, drip }: Slowness): Promise<RawClient> {
  const slow = await rawClient(url);
  slow.write(Buffer.from(first, "latin1"));
  if (drip !== null) {
    const timer = setInterval(() => slow.write(drip), 500);
    void slow.closed.then(() => clearInterval(timer));
  }
  return slow;
}
