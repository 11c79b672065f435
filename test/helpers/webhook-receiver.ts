import { createHmac } from "node:crypto";

type Call = {
  readonly headers: Headers;
  readonly body: string;
  /** As the Standard Webhooks rules say, with none of our code. */
  readonly isSignedWith: (secret: string) => boolean;
};

export type Receiver = ReturnType<typeof openReceiver>;

/** A receiver of webhooks that answers as it is told. */
export function openReceiver() {
  const calls: Call[] = [];
  let status: number | "hang" = 200;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = await request.text();
      const { headers } = request;
      calls.push({
        headers,
        body,
        isSignedWith(secret) {
          const key = Buffer.from(secret.replace("whsec_", ""), "base64");
          const signed = `${headers.get("webhook-id")}.${headers.get("webhook-timestamp")}.${body}`;
          const wanted = `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
          return (headers.get("webhook-signature") ?? "").split(" ").includes(wanted);
        },
      });
      if (status === "hang") await new Promise(() => undefined);
      return new Response("", { status: status as number });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    calls,
    answer(next: number | "hang"): void {
      status = next;
    },
    /** Resolves when there were this many calls. */
    async until(count: number): Promise<void> {
      for (let tries = 0; calls.length < count; tries++) {
        if (tries > 400) throw new Error(`only ${calls.length} of ${count} calls came`);
        await Bun.sleep(50);
      }
    },
    close: () => server.stop(true),
  };
}
