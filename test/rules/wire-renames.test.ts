import { expect, test } from "vitest";
import { type Field, listFields, openCopy } from "../../scripts/wire/renames.ts";

/** One member per body that the server sends and the page reads: file, name, and occurrence of the name in the file. */
const handful = [
  ["audit.ts", "indicator_hmac"],
  ["corpus.ts", "file_name"],
  ["corpus.ts", "bytes"],
  ["envelope.ts", "by_severity"],
  ["finding.ts", "corroborated_by"],
  ["key.ts", "rotated_to"],
  ["key.ts", "resets_in_seconds"],
  ["overview.ts", "memory_bytes"],
  ["scan.ts", "missing"],
  ["session.ts", "api_access"],
  ["source.ts", "by_hour"],
] as const;

/** Generous, because the compiler may share the machine with other work. */
const timeoutMs = 180_000;

test("a renamed member of a body compiles neither in the server nor in the page", { timeout: timeoutMs }, async () => {
  const fields = await listFields();
  const renamed = handful.map(([file, name]) => fields.find((field) => field.file === file && field.name === name));
  using copy = openCopy();
  const { server, page } = await copy.compileWithout(renamed.filter((field): field is Field => field !== undefined));
  const isNamed = (errors: readonly string[]) => (name: string) =>
    errors.some((error) => new RegExp(`'${name}(?:_renamed)?'`).test(error));
  const names = handful.map(([, name]) => name);
  expect([names.filter(isNamed(server)), names.filter(isNamed(page))]).toEqual([names, names]);
});

test("the unchanged code compiles in the copy", { timeout: timeoutMs }, async () => {
  using copy = openCopy();
  expect(await copy.compileWithout([])).toEqual({ server: [], page: [] });
});

test("the members of all bodies are listed", async () => {
  const fields = await listFields();
  expect(fields.length).toBeGreaterThan(250);
  expect(fields.map(({ file, name }) => `${file} ${name}`)).toEqual(
    expect.arrayContaining(["error.ts code", "key.ts id"]),
  );
});
