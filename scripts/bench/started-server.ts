import { openSync } from "node:fs";
import { tmpdir } from "node:os";

/** A server under test. Its first line says where it listens; its standard error goes to a file. */
export type StartedServer = AsyncDisposable & {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
};

/** A clean environment, as from a service manager. */
export const cleanEnvironment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", TMPDIR: tmpdir() };

export async function startServer(command: readonly string[], logFile: string): Promise<StartedServer> {
  const child = Bun.spawn([...command], { env: cleanEnvironment, stdout: "pipe", stderr: openSync(logFile, "a") });
  let first = "";
  for await (const chunk of child.stdout) {
    first += new TextDecoder().decode(chunk);
    if (first.includes("\n")) break;
  }
  if (!first.includes("\n")) throw new Error(`${command.join(" ")} ended with ${await child.exited}: see ${logFile}`);
  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
    await child.exited;
    clearTimeout(timer);
  };
  const { listening } = JSON.parse(first) as { listening: string };
  return { url: listening, pid: child.pid, stop, [Symbol.asyncDispose]: stop };
}
