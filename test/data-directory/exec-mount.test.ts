import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { forbidsExec } from "../../src/data-directory/exec-mount.ts";

const folder = tmpdir();

function mounted(...mounts: readonly (readonly [point: string, options: string])[]): string {
  return mounts.map(([point, options], id) => `${id} 1 0:1 / ${point} ${options} shared:1 - tmpfs tmpfs rw`).join("\n");
}

test("the mount that is nearest above a folder decides, and of two on one point the later", () => {
  const forbids = (text: string) => forbidsExec(folder, () => text);
  expect(forbids(mounted(["/", "rw"]))).toBe(false);
  expect(forbids(mounted(["/", "rw"], [folder, "rw,nosuid,noexec"]))).toBe(true);
  expect(forbids(mounted([folder, "rw"], ["/", "rw,noexec"]))).toBe(false);
  expect(forbids(mounted([folder, "rw,noexec"], [folder, "rw"]))).toBe(false);
  expect(forbids(mounted(["/", "rw"], [`${folder}-other`, "noexec"]))).toBe(false);
});

test("without a list of mounts nothing is claimed", () => {
  const read = () => {
    throw new Error("no /proc");
  };
  expect(forbidsExec(folder, read)).toBe(false);
  expect(forbidsExec("/nowhere/at/all", () => mounted(["/", "noexec"]))).toBe(false);
});
