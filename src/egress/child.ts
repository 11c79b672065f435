import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SourceError } from "../domain/error.ts";
import { makeChildHome } from "./child-home.ts";
import { openSemaphore } from "./semaphore.ts";

/** One run of a program for a source. */
export type ChildRequest = {
  /** The program (name or absolute path) and its arguments. Other users of the machine can read them. */
  readonly command: readonly [program: string, ...args: string[]];
  /** The only way to pass an address to the child. */
  readonly stdin: string;
  /** Cap on the result channel, in bytes. */
  readonly maxOutputBytes: number;
  /** A run that cannot start by then would not end in time, so it fails. */
  readonly latestStart: Date;
  readonly signal: AbortSignal;
};

export type ChildReport = {
  /** Null when a signal ended the program. */
  readonly exitCode: number | null;
  /** All bytes written to the result channel, file descriptor 3 of the child. */
  readonly output: Uint8Array;
};

export type ChildRunner = {
  /**
   * Waits for a free slot and runs the program in a private home, which is removed afterwards. Throws `SourceError`:
   * `rate_limited` when the slot is free too late, `not_installed` when the program cannot be started, `too_large`, and
   * `timeout` when the signal aborts.
   */
  readonly run: (request: ChildRequest) => Promise<ChildReport>;
};

export type ChildRunnerOptions = {
  /** Search path for programs, as in `PATH`. */
  readonly path: string;
  /** URL of the outbound proxy; null to connect directly. Passed as variables, which the program must obey itself. */
  readonly proxy: string | null;
  readonly noProxy: readonly string[];
  /**
   * PEM certificates trusted by the operator in addition to those of the system, or null. Written to `ca.pem` in the
   * private home.
   */
  readonly extraCa: string | null;
  /** The folder for the private homes. */
  readonly homesIn: string;
  /** Concurrent runs; further runs wait, first come first served. */
  readonly maxConcurrent: number;
  readonly now: () => Date;
};

/**
 * Opens the runner for external programs, the only one in xpose. It builds their whole environment (docs/contract.md
 * 11.2a).
 */
export function openChildRunner(options: ChildRunnerOptions): ChildRunner {
  const semaphore = openSemaphore(options.maxConcurrent);

  async function enter({ latestStart, signal }: ChildRequest): Promise<void> {
    const patienceMs = Math.max(0, latestStart.getTime() - options.now().getTime());
    try {
      await semaphore.enter(AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
    } catch {
      if (signal.aborted) throw tooLate();
      throw new SourceError("rate_limited", "the previous run did not end in time");
    }
  }

  return {
    async run(request) {
      await enter(request);
      try {
        const home = await makeChildHome(options.homesIn);
        try {
          if (options.extraCa !== null) await writeFile(join(home.path, "ca.pem"), options.extraCa);
          const environment = { ...proxyVariables(options), PATH: options.path, LANG: "C.UTF-8", HOME: home.path };
          return await runChild({ ...request, environment, cwd: home.path });
        } finally {
          await home.remove();
        }
      } finally {
        semaphore.leave();
      }
    },
  };
}

function proxyVariables({ proxy, noProxy }: ChildRunnerOptions): Record<string, string> {
  if (proxy === null) return {};
  return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ...(noProxy.length === 0 ? {} : { NO_PROXY: noProxy.join(",") }) };
}

export type ChildRun = Omit<ChildRequest, "latestStart"> & {
  /** The whole environment; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
};

const resultDescriptor = 3;

/**
 * How long the result channel may stay open after the program ended, held by a process that left the group. In
 * milliseconds.
 */
const drainMs = 500;

/**
 * Runs a program without a shell until it ends, then kills everything left in its process group with SIGKILL. Its
 * printed output is dropped: results come on file descriptor 3. A process that started its own session cannot be
 * killed, but is not waited for either.
 */
export async function runChild(run: ChildRun): Promise<ChildReport> {
  if (run.signal.aborted) throw tooLate();
  const child = await start(run);
  const kill = () => killGroup(child);
  run.signal.addEventListener("abort", kill, { once: true });
  if (run.signal.aborted) kill();
  try {
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const channel = readChannel(child, run.maxOutputBytes);
    // A child that ends without reading its input breaks this pipe; its exit code tells the result.
    child.stdin?.on("error", () => undefined).end(run.stdin);
    const exitCode = await exited;
    // Kill at once, before the id of an empty group can be reused.
    kill();
    const output = await channel.end();
    if (output === null) throw new SourceError("too_large", `the program wrote more than ${run.maxOutputBytes} bytes`);
    if (run.signal.aborted) throw tooLate();
    if (isExecFault(exitCode) && output.length === 0) throw notInstalled(run.command[0]);
    return { exitCode, output };
  } finally {
    run.signal.removeEventListener("abort", kill);
  }
}

/** Exit codes of a shell or of `keeper` when it cannot start the program. */
function isExecFault(exitCode: number | null): boolean {
  return exitCode === 126 || exitCode === 127;
}

function notInstalled(program: string, options?: { cause: unknown }): SourceError {
  return new SourceError("not_installed", `cannot start ${program}`, options);
}

function tooLate(): SourceError {
  return new SourceError("timeout", "the program did not end in time");
}

/**
 * setpriv of util-linux: it asks the kernel to kill the child when its parent ends for any reason. Without it the child
 * of a killed xpose runs to its own end, unless the service manager ends it.
 */
const keeper = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path)) ?? null;

async function start({ command: [program, ...args], environment, cwd }: ChildRun): Promise<ChildProcess> {
  const { spawn } = await import("node:child_process");
  try {
    const found = findProgram(program, environment["PATH"] ?? "");
    const kept = keeper === null ? [found] : [keeper, "--pdeathsig", "KILL", "--", found];
    const child = spawn(kept[0] ?? found, [...kept.slice(1), ...args], {
      cwd,
      env: { ...environment },
      // A separate process group, so that it can be killed as a whole.
      detached: true,
      stdio: ["pipe", "ignore", "ignore", "pipe"],
    });
    if (child.pid === undefined) await once(child, "error").then(([error]) => Promise.reject(error));
    return child;
  } catch (cause) {
    throw notInstalled(program, { cause });
  }
}

/** The path of a program, found as the system would. Throws when there is no executable file. */
function findProgram(program: string, path: string): string {
  const candidates = program.includes("/") ? [program] : path.split(":").map((folder) => join(folder, program));
  const found = candidates.find((candidate) => statSync(candidate, { throwIfNoEntry: false })?.isFile() === true);
  if (found === undefined) throw new Error("there is no such program");
  accessSync(found, constants.X_OK);
  return found;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty: all its processes have ended.
  }
}

/** Collects the output of the result channel. Above the cap it kills the group and drops the output. */
function readChannel(child: ChildProcess, maxBytes: number) {
  const stream = child.stdio[resultDescriptor];
  if (stream == null || !("readableEnded" in stream))
    throw new SourceError("internal", "the result channel was not opened");
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  const isTooLarge = () => sizeBytes > maxBytes;
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  stream.on("data", (chunk: Uint8Array) => {
    if (isTooLarge()) return;
    sizeBytes += chunk.length;
    if (!isTooLarge()) return void chunks.push(chunk);
    chunks.length = 0;
    killGroup(child);
    stream.destroy();
  });
  // A reset by the child ends the channel, like its exit.
  stream.on("error", () => stream.destroy());

  return {
    /** Call after the exit of the program. Returns all its output; null when it exceeded the cap. */
    async end(): Promise<Uint8Array | null> {
      const timer = setTimeout(() => stream.destroy(), drainMs);
      await closed;
      clearTimeout(timer);
      return isTooLarge() ? null : Buffer.concat(chunks);
    },
  };
}
