import "./cli/early-signals.ts";
import { writeSync } from "node:fs";

/** Nothing that xpose creates is for anybody else to read. */
process.umask(0o077);

void main().then((exitCode) => process.exit(exitCode));

async function main() {
  // On demand: the modules of an import above are evaluated before the listeners of early-signals.ts are there, and
  // until then a signal is deadly.
  const { runProgram } = await import("./cli/program.ts");
  return await runProgram(process.argv.slice(2), {
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
    // Asked for when something is drawn: the runtime builds a whole stream to answer it.
    get isTerminal() {
      return process.stderr.isTTY === true;
    },
  });
}

/** A pipe takes large output in pieces, and may not be ready for the next one. */
function writeAll(descriptor: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null;
      // Nobody reads any more: there is nobody to tell.
      if (code === "EPIPE") return;
      if (code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}
