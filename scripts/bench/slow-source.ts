/**
 * An upstream for `[[sources.http]]` that knows no address: it answers 404 after a delay in milliseconds, its first
 * argument. `POST /gate?held=1` makes it hold requests; `POST /gate?held=0` releases them, and from then on all answers
 * wait their delay; with `&hurry=1` none waits. `GET /answered` returns the number of answers.
 */
const delayMs = Number(process.argv[2]);
let isHurried = false;
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
      isHurried = searchParams.get("hurry") === "1";
      if (searchParams.get("held") === "1") {
        const { promise, resolve } = Promise.withResolvers<void>();
        gate = promise;
        open = resolve;
      }
      return new Response("ok");
    }
    await gate;
    if (!isHurried) await Bun.sleep(delayMs);
    answeredCount++;
    return new Response("{}", { status: 404, headers: { "Content-Type": "application/json" } });
  },
});
console.log(JSON.stringify({ listening: `http://127.0.0.1:${server.port}` }));
