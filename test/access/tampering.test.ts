import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anyTampering, checkTampered, makeTamperable } from "../helpers/tampering.ts";

/** A short run; `npm run soak` does a thousand. */
const runs = 100;

let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "xpose-tampering-"));
  await makeTamperable(join(root, "whole"), false);
  await makeTamperable(join(root, "shortened"), true);
});

afterAll(() => rmSync(root, { recursive: true }));

describe.each(["whole", "shortened"] as const)("9.8 a trail that is %s", (name) => {
  test("is accepted when it is unchanged", async () => {
    const check = await checkTampered(join(root, name), join(root, "copy"), null);
    expect(check).toMatchObject({ ok: true, problem: null });
  });

  test("is rejected after any tampering, with and without the kept head, and after the service has continued", async () => {
    await fc.assert(
      fc.asyncProperty(anyTampering(name === "shortened"), async (tampering) => {
        const check = await checkTampered(join(root, name), join(root, "copy"), tampering);
        fc.pre(check !== null);
        expect([tampering.what, check]).toMatchObject([tampering.what, { ok: false, problem: expect.any(String) }]);
      }),
      { numRuns: runs },
    );
  }, 60_000);
});
