import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { type ChildRunner, openChildRunner } from "../../src/egress/child.ts";
import { holehe } from "../../src/sources/holehe.ts";
import type { SourceReply } from "../../src/sources/source.ts";
import { lookupContext } from "./lookup-context.ts";
import { jane, makePythonEnvironment } from "./python-environment.ts";

export type HoleheQuestion = {
  readonly python: string;
  readonly email?: string;
  readonly allowSensitive?: boolean;
  readonly proxy?: string | null;
  readonly extraCa?: string | null;
  readonly deadlineMs?: number;
  /** The time limit per site, instead of the usual one. */
  readonly secondsPerQuestion?: number;
  /** Replaces the launcher that runs Python. */
  readonly child?: ChildRunner;
};

/** Asks the adapter like a scan on 2026-01-01, and expects that no home directory is left behind. */
export async function askHolehe({ python, email = jane, ...question }: HoleheQuestion): Promise<SourceReply> {
  const { allowSensitive = false, proxy = null, extraCa = null, deadlineMs = 20_000, secondsPerQuestion } = question;
  const homesIn = mkdtempSync(join(tmpdir(), "holehe-homes-"));
  onTestFinished(() => rmSync(homesIn, { recursive: true, force: true }));
  const now = () => new Date("2026-01-01T00:00:00Z");
  const runner = { path: "/usr/bin:/bin", proxy, noProxy: [], extraCa, homesIn, maxConcurrent: 1, now };
  const child = question.child ?? openChildRunner(runner);
  const hurried: ChildRunner = {
    run: (request) => child.run({ ...request, stdin: withSeconds(request.stdin, secondsPerQuestion) }),
  };
  const reply = await holehe.lookup(
    parseIndicator("email", email),
    lookupContext({
      settings: { python, allow_sensitive: allowSensitive },
      child: secondsPerQuestion === undefined ? child : hurried,
      signal: AbortSignal.timeout(deadlineMs),
      deadline: new Date(now().getTime() + deadlineMs),
    }),
  );
  expect(readdirSync(homesIn)).toEqual([]);
  return reply;
}

function withSeconds(task: string, seconds: number | undefined): string {
  return JSON.stringify({ ...JSON.parse(task), seconds });
}

/** A virtual environment without packages, for this test. */
export function installPython(): { readonly python: string; readonly packages: string } {
  const root = mkdtempSync(join(tmpdir(), "holehe-test-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return makePythonEnvironment(root);
}
