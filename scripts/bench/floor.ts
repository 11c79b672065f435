/**
 * The floor: the minimum that any server on this runtime does for such a request. It reads the JSON body and returns a
 * fixed answer, taken from the file in its argument. Compiled with the flags of the product.
 */
import { readFileSync } from "node:fs";

const answer = readFileSync(process.argv[2] ?? "", "utf8");

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  reusePort: false,
  async fetch(request) {
    if (request.method === "GET") return new Response("ok");
    await request.json();
    return new Response(answer, { headers: { "Content-Type": "application/json" } });
  },
});
console.log(JSON.stringify({ listening: `http://127.0.0.1:${server.port}` }));
