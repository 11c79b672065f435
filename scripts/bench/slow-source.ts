/**
 * An upstream for `[[sources.http]]` that knows nothing about anybody: 404 after so many milliseconds, its first
 * argument. `POST /gate?held=1` makes it hold what it is asked, `POST /gate?held=0` starts the waiting anew for all
 * that is held; `GET /answered` says how many answers it gave.
 */
const delayMs = Number(process.argv[2]);
let answeredCount = 0;
let gate = Promise.resolve();
let open = (): void => {};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 120,
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/answered") return new Response(String(answeredCount));
    if (pathname === "/gate") {
      open();
      if (searchParams.get("held") === "1") {
        const { promise, resolve } = Promise.withResolvers<void>();
        gate = promise;
        open = resolve;
      }
      return new Response("ok");
    }
    await gate;
    await Bun.sleep(delayMs);
    answeredCount++;
    return new Response("{}", { status: 404, headers: { "Content-Type": "application/json" } });
  },
});
console.log(JSON.stringify({ listening: `http://127.0.0.1:${server.port}` }));
