import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CorpusError } from "../../src/corpus/error.ts";
import { openDesk } from "../helpers/corpus-desk.ts";

/**
 * The privacy guarantee of a corpus: of any text in any column, key, label or name, only keyed hashes, sites, catalogue
 * names and dates are stored. Each generated file is full of a marker, in the forms of secrets, names and addresses; the
 * marker must not appear anywhere. `PRIVACY_RUNS` sets the number of files; the soak uses 100,000.
 */
const marker = "zq7";
const runs = Number(process.env["PRIVACY_RUNS"] ?? 3000);

const word = fc.constantFrom(
  "Zq7hunter2",
  "zq7",
  "Zq7-summer",
  "ZQ7!secret",
  "Zq7.word",
  "zq7_x",
  "Zq7grün",
  "hunter.zq7",
);
const address = fc.constantFrom(
  "zq7jane@example.com",
  "o'zq7@example.org",
  "zq7+tag@mail.example.net",
  "Zq7.Doe@EXAMPLE.COM",
  "zq7jürgen@bücher.example",
);
const url = fc.constantFrom(
  "https://portal.example/Zq7path",
  "https://shop.example.org/?user=Zq7name&p=1",
  "https://zq7user:zq7pw@forum.example.net/login",
  "http://intra.corp.example:8443/#Zq7",
  "android://Zq7base64==@com.example.app/",
  "shop.example.com/zq7",
  "https://portal.example/reset?email=zq7tom@example.com",
);
/** Text of a person or a secret, in places where no site is expected. */
const text = fc.oneof(
  word,
  address,
  fc.tuple(word, word).map(([a, b]) => `${a} ${b}`),
  fc.tuple(word, word).map(([a, b]) => `${a}:${b}`),
  fc.tuple(address, word).map(([a, b]) => `${a}:${b}`),
  word.map((secret) => `password: ${secret}`),
  word.map((secret) => `<${secret}>`),
  word.map((secret) => `"${secret}"`),
  word.map((secret) => `${secret}\u200b\ufeff`),
  word.map((secret) => secret.padEnd(300, "q")),
);
const separator = fc.constantFrom(":", ";", "|", "\t", ",", " ", "----", "/", "=", "\\", "~", ">", "：", " - ", "::");
const key = fc.oneof(
  word,
  address,
  fc.constantFrom(
    ...["email", "mail", "login", "username", "password", "pass", "name", "title", "subject", "category", "severity"],
    ...["date", "source_url", "url", "site", "Passwort", "correo", "почта", "address", "alias", "breach", "Name", "id"],
    ...["database_name", "hashed_password", "domain", "entries", "results", "data", "note", "tags"],
  ),
);
const value = fc.oneof(text, text, address, url, fc.constantFrom("", "NULL", "2021", "1.2.2021", "low", "1"));

type Generated = { readonly name: string; readonly content: string };
const lines = (line: fc.Arbitrary<string>, max = 12) =>
  fc.array(line, { minLength: 1, maxLength: max }).map((all) => `${all.join("\n")}\n`);

const combo = lines(
  fc
    .tuple(fc.array(fc.oneof(text, address, address), { minLength: 1, maxLength: 4 }), separator)
    .map(([parts, by]) => parts.join(by)),
);
const ulp = lines(
  fc
    .tuple(fc.shuffledSubarray(["url", "login", "secret", "more"]), url, fc.oneof(address, text), text, text, separator)
    .map(([order, site, login, secret, more, by]) => {
      const parts: Record<string, string> = { url: site, login, secret, more };
      return order.map((part) => parts[part]).join(by);
    }),
);
const label = fc.oneof(
  fc.constantFrom(
    "URL",
    "Host",
    "Username",
    "Login",
    "USER",
    "Password",
    "Pass",
    "Application",
    "Soft",
    "E-Mail",
    "Пароль",
  ),
  word,
);
const stealer = lines(
  fc.oneof(
    fc.tuple(label, fc.constantFrom(": ", "=", ":", " : "), value).map((parts) => parts.join("")),
    fc.constantFrom("", "===============", "━━━━━━"),
    text,
  ),
  30,
);
const quoted = (cell: string) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const csv = fc
  .tuple(
    fc.array(key, { minLength: 1, maxLength: 6 }),
    fc.array(fc.array(value, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 }),
    fc.constantFrom(",", ";", "|", "\t"),
    fc.boolean(),
  )
  .map(([header, rows, by, hasHeader]) =>
    [...(hasHeader ? [header] : []), ...rows].map((row) => row.map(quoted).join(by)).join("\n"),
  );
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    value,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
  ),
}));
const json = fc
  .tuple(
    fc.array(fc.dictionary(key, tree, { maxKeys: 5 }), { minLength: 1, maxLength: 5 }),
    fc.constantFrom("lines", "array", "wrapped", "keyed", "pretty"),
    key,
    address,
  )
  .map(([records, form, wrapper, owner]) => {
    if (form === "lines") return records.map((record) => JSON.stringify(record)).join("\n");
    if (form === "array") return JSON.stringify(records);
    if (form === "wrapped") return JSON.stringify({ [wrapper]: records, took: 1 });
    if (form === "keyed") return JSON.stringify({ [owner]: records[0] ?? {}, [wrapper]: records });
    return records.map((record) => JSON.stringify(record, null, 2)).join("\n");
  });
const leakMap = fc
  .dictionary(
    word.map((local) => local.toLowerCase()),
    fc.array(fc.oneof(word, address, url), { minLength: 1, maxLength: 3 }),
    { minKeys: 1, maxKeys: 4 },
  )
  .map((map) => JSON.stringify(map));
const sql = lines(
  fc
    .tuple(text, address, text)
    .map(
      ([a, b, c]) =>
        `INSERT INTO users VALUES (1,'${a.replaceAll("'", "''")}','${b.replaceAll("'", "''")}','${c.replaceAll("'", "\\'")}');`,
    ),
);
const prose = lines(
  fc.array(fc.oneof(text, url, address), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(" ")),
);

const contents = fc.oneof(combo, ulp, stealer, csv, json, leakMap, sql, prose);
const ending = fc.constantFrom(".txt", ".csv", ".json", ".jsonl", ".sql", "", ".log");
const generated: fc.Arbitrary<Generated> = fc
  .tuple(
    contents,
    ending,
    fc.constantFrom("example.com", "leak", "zq7eva@example.com", "Passwords", "zq7%40example.com"),
  )
  .map(([content, end, name]) => ({ content, name: `${name}${end}` }));

test(`of ${runs} hostile files only hashes, sites and dates are stored`, async () => {
  const desk = openDesk();
  let importedCount = 0;
  let number = 0;
  const check = async (
    files: readonly Generated[],
    format: "csv" | "jsonl" | "combo" | "ulp" | "stealer" | undefined,
  ) => {
    const folder = join(desk.root, `f${number++}`);
    for (const [index, { name, content }] of files.entries()) {
      const path = join(folder, files.length > 1 ? `zq7ann@example.org-${index}/${name}` : name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    const path = files.length > 1 ? folder : join(folder, files[0]?.name ?? "");
    let told = "";
    try {
      const report = await desk.importFile(path, { format });
      const skipped = Object.values(report.skipped).reduce((sum, count) => sum + count, 0);
      expect(report.read).toBe(report.imported + skipped);
      importedCount += report.imported;
      told = JSON.stringify(report);
    } catch (error) {
      if (!(error instanceof CorpusError)) throw error;
      told = error.message;
    }
    const stored = [
      told,
      JSON.stringify(desk.publications.splice(0)),
      ...readdirSync(desk.corporaDir).map((file) => readFileSync(join(desk.corporaDir, file), "latin1")),
    ].join("\n");
    rmSync(folder, { recursive: true, force: true });
    const at = stored.toLowerCase().indexOf(marker);
    expect(at < 0 ? "" : stored.slice(Math.max(0, at - 80), at + 80)).toBe("");
    await desk.remove("shop");
    for (const file of readdirSync(desk.corporaDir)) rmSync(join(desk.corporaDir, file));
  };
  const format = fc.constantFrom(undefined, undefined, "csv", "jsonl", "combo", "ulp", "stealer" as const);
  const files = fc.array(generated, { minLength: 1, maxLength: 3 });
  await fc.assert(fc.asyncProperty(files, format, check), { numRuns: runs, endOnFailure: runs > 20_000 });
  // The generator must make files that are accepted; otherwise the property is vacuous.
  expect(importedCount).toBeGreaterThan(runs);
}, 3_600_000);
