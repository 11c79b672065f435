import "./cli/early-signals.ts";
import { writeSync } from "node:fs";

/** Only the user of the process may read the files that xpose creates. */
process.umask(0o077);

void main().then((exitCode) => process.exit(exitCode));

async function main() {
  // Loaded on demand: modules of a static import are evaluated before early-signals.ts adds its listeners, and until
  // then a signal kills the process.
  const { runProgram } = await import("./cli/program.ts");
  return await runProgram(process.argv.slice(2), {
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
    // Asked only when something is drawn, because the runtime builds a whole stream to answer it.
    get isTerminal() {
      return process.stderr.isTTY === true;
    },
  });
}

/** Writes in pieces: a pipe may take only a part of a large output, and may not be ready for the next part. */
function writeAll(descriptor: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null;
      // The reader has closed the pipe, so no message can reach it.
      if (code === "EPIPE") return;
      if (code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}
