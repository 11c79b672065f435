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
  /** The program, a name or an absolute path, and its arguments. Other users of the machine can read them. */
  readonly command: readonly [program: string, ...args: string[]];
  /** The only way for an address to reach the child. */
  readonly stdin: string;
  /** Cap on the result channel, in bytes. */
  readonly maxOutputBytes: number;
  /** A run whose turn has not come by then would not end in time: it fails instead of starting. */
  readonly latestStart: Date;
  readonly signal: AbortSignal;
};

export type ChildReport = {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** All that was written to the result channel, file descriptor 3 of the child. */
  readonly output: Uint8Array;
};

export type ChildRunner = {
  /**
   * Waits for its turn and runs the program in a private home that is removed afterwards. Throws `SourceError`:
   * `rate_limited` when its turn comes too late, `not_installed` when the program cannot be started, `too_large`,
   * `timeout` when the signal aborts.
   */
  readonly run: (request: ChildRequest) => Promise<ChildReport>;
};

export type ChildRunnerOptions = {
  /** Where programs are looked for, as in `PATH`. */
  readonly path: string;
  /** URL of the outbound proxy, or null to go direct. Handed over as variables: it is for the program to obey them. */
  readonly proxy: string | null;
  readonly noProxy: readonly string[];
  /** PEM certificates that the operator trusts beside those of the system, or null: `ca.pem` in the private home. */
  readonly extraCa: string | null;
  /** The folder in which the private homes are made. */
  readonly homesIn: string;
  /** Runs at once; the others wait, first come first served. */
  readonly maxConcurrent: number;
  readonly now: () => Date;
};

/** Opens the one way in which xpose runs programs. Their whole environment is made here (docs/contract.md 11.2a). */
export function openChildRunner(options: ChildRunnerOptions): ChildRunner {
  const semaphore = openSemaphore(options.maxConcurrent);

  async function enter({ latestStart, signal }: ChildRequest): Promise<void> {
    const patienceMs = Math.max(0, latestStart.getTime() - options.now().getTime());
    try {
      await semaphore.enter(AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
    } catch {
      if (signal.aborted) throw tooLate();
      throw new SourceError("rate_limited", "another run did not end in time for this one");
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
  /** The whole environment: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
};

const resultDescriptor = 3;

/** How long a process that left the group may keep the result channel open after the program ended, milliseconds. */
const drainMs = 500;

/**
 * Runs a program without a shell until it has ended, and ends all that it left behind in its process group, with
 * SIGKILL, which cannot be ignored. What it prints is dropped: results come on file descriptor 3. A process that made
 * a session of its own is out of reach, but is not waited for either.
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
    // A child that ends without reading its input breaks this pipe; its exit says so.
    child.stdin?.on("error", () => undefined).end(run.stdin);
    const exitCode = await exited;
    // At once, for what it forked: should the group be empty, its number is not yet given to another one.
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

/** The exit codes of a program that starts another one, as a shell or `keeper`, and cannot. */
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
 * The program of util-linux that asks the system to kill what it becomes once its parent ends, however that ends. Without
 * it a child of a killed xpose goes on until its own end, unless the service manager ends it.
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
      // A process group of its own, which can be killed as a whole.
      detached: true,
      stdio: ["pipe", "ignore", "ignore", "pipe"],
    });
    if (child.pid === undefined) await once(child, "error").then(([error]) => Promise.reject(error));
    return child;
  } catch (cause) {
    throw notInstalled(program, { cause });
  }
}

/** The path of a program, as the system would find it. Throws when there is none that can be run. */
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
    // The group is empty: all have ended by themselves.
  }
}

/** Collects what comes on the result channel. Over the cap it kills the group and keeps nothing. */
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
  // A reset by the child ends the channel like its exit does.
  stream.on("error", () => stream.destroy());

  return {
    /** For after the exit of the program: all its output, or null when it was over the cap. */
    async end(): Promise<Uint8Array | null> {
      const timer = setTimeout(() => stream.destroy(), drainMs);
      await closed;
      clearTimeout(timer);
      return isTooLarge() ? null : Buffer.concat(chunks);
    },
  };
}
