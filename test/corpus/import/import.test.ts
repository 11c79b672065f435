import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { CorpusError } from "../../../src/corpus/error.ts";
import type { ImportOptions, ImportProgress } from "../../../src/corpus/import/import.ts";
import { removeOrphans } from "../../../src/corpus/remove-orphans.ts";
import type { WorkspaceId } from "../../../src/domain/workspace.ts";
import { openDesk } from "../../helpers/corpus-desk.ts";
import { zipOf } from "../../helpers/zip-file.ts";

const jane = "jane.doe@example.com";
const john = "john@example.org";

describe("CSV", () => {
  test.each([
    { rule: "a comma", text: `email,password\n${jane},pw1\n${john},pw2\n` },
    { rule: "a semicolon", text: `id;email;name, first\n1;${jane};Jane\n2;${john};John\n` },
    { rule: "a TAB", text: `email\tnotes, all; of them\n${jane}\ta,b;c\n${john}\t\n` },
    { rule: "one column", text: `email\n${jane}\n${john}\n` },
    { rule: "a byte order mark", text: `\ufeffemail,x\n${jane},1\n${john},2\n` },
    { rule: "CR LF", text: `email,x\r\n${jane},1\r\n${john},2\r\n` },
    { rule: "CR", text: `email,x\r${jane},1\r${john},2` },
    { rule: "no line end at the end", text: `email,x\n${jane},1\n${john},2` },
    { rule: "blank lines", text: `\n\nemail,x\n\n${jane},1\n   \n\n${john},2\n\n` },
    { rule: "quotes", text: `"id","email"\n"1","${jane}"\n"2","${john}"\n` },
    { rule: "quoted line ends and separators", text: `note,email\n"a\nb,""c""\r\nd",${jane}\n"x",${john}\n` },
    { rule: "a quote within a cell", text: `note,email\n5" disk,${jane}\nan "x" y,${john}\n` },
    { rule: "a header in capitals with blanks", text: `Id, E-Mail ,x\n1, ${jane} ,2\n1,${john},2\n` },
    { rule: "mail", text: `MAIL\n${jane}\n${john}\n` },
    { rule: "email address", text: `x,Email  Address\n1,${jane}\n2,${john}\n` },
    { rule: "two columns of the same name, the first counts", text: `email,email\n${jane},a@a.example\n${john},\n` },
    { rule: "rows with fewer and with more cells", text: `email,title,x\n${jane}\n${john},,1,2,3,4\n` },
  ])("with $rule is read", async ({ text }) => {
    const desk = openDesk();
    const report = await desk.importText(text, {}, "file.csv");
    expect(report).toMatchObject({ name: "shop", read: 2, imported: 2, skipped: {} });
    expect(await desk.lookup(jane)).toHaveLength(1);
    expect(await desk.lookup(john)).toHaveLength(1);
    expect(await desk.lookup("a@a.example")).toEqual([]);
  });

  test("in UTF-16 with a byte order mark is read", async () => {
    for (const [mark, isSwapped] of [
      ["fffe", false],
      ["feff", true],
    ] as const) {
      const desk = openDesk();
      const text = Buffer.from(`email,severity,title\n${jane},low,Größe\n`, "utf16le");
      await desk.importText(Buffer.concat([Buffer.from(mark, "hex"), isSwapped ? text.swap16() : text]));
      expect(await desk.lookup(jane)).toMatchObject([{ title: "Größe" }]);
    }
  });

  test("gives its records the fields of their columns, and the defaults of the contract where these are empty", async () => {
    const desk = openDesk();
    await desk.importText(
      `email,category,severity,title,subject,source_url,date
${jane},Credential Leak,CRITICAL,Shop  breach,LinkedIn,https://shop.example/x,2021-04-08
${john},,,,,,
`,
      {},
      "/shop.csv".slice(1),
    );
    expect(await desk.lookup(jane)).toEqual([
      {
        category: "credential_leak",
        severity: "high",
        title: "Shop breach",
        sourceUrl: "https://shop.example/x",
        subjects: ["linkedin.com"],
        years: [2021],
        details: [{ file: "shop.csv", format: "csv", date: "2021-04-08" }],
      },
    ]);
    expect(await desk.lookup(john)).toEqual([
      {
        category: "breach",
        severity: "medium",
        title: "Present in shop",
        sourceUrl: null,
        subjects: ["shop"],
        years: [],
        details: [{ file: "shop.csv", format: "csv" }],
      },
    ]);
  });

  test("without an address column is refused, and a first line that is not a header is not quoted", async () => {
    const desk = openDesk();
    const failure = desk.importText("jane.doe,MARKER\njohn,MARKER\n", { format: "csv" }, "x.csv");
    await expect(failure).rejects.toThrow("no column of the table holds email addresses");
    await expect(failure).rejects.not.toThrow("MARKER");
  });

  test("with other columns gives only the address and its date, unless the operator names more", async () => {
    const desk = openDesk();
    const text = `email,title,subject,password,date\n${jane},A secret,B,hunter2,2020\n`;
    await desk.importText(text, {}, "foreign.csv");
    expect(await desk.lookup(jane)).toMatchObject([{ title: "Present in shop", subjects: ["shop"], years: [2020] }]);
    const wishes = { column: null, fields: ["title"], leakNames: null } as const;
    await desk.importText(text, { name: "wished", wishes }, "foreign.csv");
    expect(await desk.lookup(jane, "wished")).toMatchObject([{ title: "A secret", subjects: ["wished"] }]);
  });
});

describe("unusable CSV rows are counted by reason and lose no other record", () => {
  const many = Array.from({ length: 30 }, (_, index) => `u${index}@example.com,ok`).join("\n");
  test.each([
    { dirt: ",no address", reason: "no_email" },
    { dirt: "   ,no address", reason: "no_email" },
    { dirt: "jane.doe,x", reason: "invalid_email" },
    { dirt: "jane@doe@example.com,x", reason: "invalid_email" },
    { dirt: "jane.doe\0@example.com,x", reason: "invalid_email" },
    { dirt: `${jane},${"t".repeat(70_000)}`, reason: "too_long" },
    { dirt: `"${jane},unclosed`, reason: "malformed" },
    { dirt: "u7@example.com,ok", reason: "duplicate" },
    { dirt: "U7@EXAMPLE.COM, ok ", reason: "duplicate" },
  ])("$reason", async ({ dirt, reason }) => {
    const desk = openDesk();
    const text = Buffer.concat([
      Buffer.from(`email,title,date\n${many}\n`),
      Buffer.from(dirt),
      Buffer.from("\nlast@example.com,ok\n"),
    ]);
    const report = await desk.importText(text, {}, "x.csv");
    expect(report).toMatchObject({ read: 32, imported: 31, skipped: { [reason]: 1 } });
    expect(await desk.lookup("last@example.com")).toHaveLength(1);
  });

  test("an unclosed quote far from the end loses one record", async () => {
    const desk = openDesk();
    const after = Array.from({ length: 20_000 }, (_, index) => `v${index}@example.com,ok`).join("\n");
    const report = await desk.importText(`email,title\n${many}\n"${jane},x\n${after}\n`, {}, "x.csv");
    expect(report).toMatchObject({ read: 20_031, imported: 20_030, skipped: { too_long: 1 } });
  });
});

describe("JSON Lines", () => {
  test("gives its records the fields of their members", async () => {
    const desk = openDesk();
    const records = [
      { Email: "JANE.DOE@example.com", title: "A", severity: "low", date: 2021 },
      { "e-mail": john, severity: null, category: null, subject: "Example Shop", source_url: "javascript:alert(1)" },
    ];
    const report = await desk.importText(records.map((record) => JSON.stringify(record)).join("\n"), {}, "x.jsonl");
    expect(report).toMatchObject({ read: 2, imported: 2, skipped: {} });
    expect(await desk.lookup(jane)).toMatchObject([{ title: "A", severity: "low", years: [2021] }]);
    expect(await desk.lookup(john)).toMatchObject([
      { category: "breach", severity: "low", subjects: ["example-shop"], sourceUrl: null },
    ]);
  });

  const many = Array.from({ length: 30 }, (_, index) => JSON.stringify({ email: `u${index}@example.com` })).join("\n");
  test.each([
    { dirt: "{}", reason: "no_email" },
    { dirt: '{"email":null}', reason: "no_email" },
    { dirt: '{"email":" "}', reason: "no_email" },
    { dirt: '{"email":"jane"}', reason: "invalid_email" },
    { dirt: '{"email":["jane"]}', reason: "invalid_email" },
    { dirt: '{"password":"jane.doe@example.com"}', reason: "no_email" },
    { dirt: '{"email":"jane.doe@example.com"', reason: "malformed" },
    { dirt: "null", reason: "malformed" },
    { dirt: "[]", reason: "malformed" },
    { dirt: `{"email":"jane.doe@example.com","x":"${"x".repeat(1_000_000)}"}`, reason: "too_long" },
    { dirt: '{"email":"u3@example.com","password":"other"}', reason: "duplicate" },
  ])("with $dirt count it as $reason", async ({ dirt, reason }) => {
    const desk = openDesk();
    const report = await desk.importText(`${many}\n${dirt}\n{"email":"last@example.com"}`, {}, "x.jsonl");
    expect(report).toMatchObject({ read: 32, imported: 31, skipped: { [reason]: 1 } });
    expect(await desk.lookup("last@example.com")).toHaveLength(1);
  });
});

test.each(["2021-13", "yesterday", "2021-02-30"])(
  "the invalid date %j loses the date, not the address",
  async (date) => {
    const desk = openDesk();
    const csv = await desk.importText(`email,severity,date\n${jane},low,${date}\n`);
    const jsonl = await desk.importText(JSON.stringify({ email: john, severity: "low", date }), {}, "a.jsonl");
    expect([csv, jsonl]).toMatchObject([
      { imported: 1, fieldsDropped: 1 },
      { imported: 1, fieldsDropped: 1 },
    ]);
    for (const address of [jane, john]) expect(await desk.lookup(address)).toMatchObject([{ years: [] }]);
  },
);

test("the flags apply to records without their own values", async () => {
  const desk = openDesk();
  const flags = { title: "Flag", category: "paste", severity: "high", subject: "shop.example", date: "2019" } as const;
  await desk.importText(`email,title,category,severity,subject,date\n${jane},,,,,\n${john},A,b,low,c,2020\n`, flags);
  expect(await desk.lookup(jane)).toMatchObject([
    { title: "Flag", category: "paste", severity: "high", subjects: ["shop.example"], years: [2019] },
  ]);
  expect(await desk.lookup(john)).toMatchObject([
    { title: "A", category: "b", severity: "low", subjects: ["c"], years: [2020] },
  ]);
});

test("an address or a secret in a flag is not stored", async () => {
  const desk = openDesk();
  const title = "Leak of john@example.org:Zq7secret";
  await desk.importText(`email\n${jane}\n`, { title, subject: "john@example.org" });
  expect(await desk.lookup(jane)).toMatchObject([{ title: "Leak of …:…" }]);
  expect(JSON.stringify(desk.publications)).not.toMatch(/john|Zq7/);
  for (const file of readdirSync(desk.corporaDir)) {
    expect(readFileSync(join(desk.corporaDir, file), "latin1")).not.toMatch(/john|Zq7/);
  }
});

test("an address in several records gives one finding per distinct record", async () => {
  const desk = openDesk();
  await desk.importText(`email,title,severity\n${jane},A,low\n${jane},B,low\n${jane},A,high\n`);
  expect(await desk.lookup(jane)).toMatchObject([
    { title: "A", severity: "high" },
    { title: "B", severity: "low" },
  ]);
});

test("text that contains the address is not kept", async () => {
  const desk = openDesk();
  await desk.importText(
    `email,title,subject,source_url\n${jane},About Jane.Doe@Example.com,${jane},https://shop.example/?u=jane.doe%40example.com\n`,
  );
  expect(await desk.lookup(jane)).toMatchObject([{ title: "Present in shop", subjects: ["shop"], sourceUrl: null }]);
  for (const file of readdirSync(desk.corporaDir)) {
    expect(readFileSync(join(desk.corporaDir, file), "latin1")).not.toMatch(/jane/i);
  }
});

describe("the same bytes again", () => {
  test("under the same name change only a given confidence and origin", async () => {
    const desk = openDesk();
    await desk.importText(`email\n${jane}\n${john}\nbad\n`, { confidence: 0.4 }, "a.csv");
    const files = readdirSync(desk.corporaDir);
    const again = await desk.importText(`email\n${jane}\n${john}\nbad\n`, { origin: "other" }, "b.csv");
    expect(again).toMatchObject({ read: 3, imported: 0, skipped: { already_imported: 3 } });
    expect(readdirSync(desk.corporaDir)).toEqual(files);
    expect(desk.corpora.get("shop")).toMatchObject({ confidence: 0.4, origin: "other" });
  });

  test("under another name are a separate corpus with the same origin, whatever the compression", async () => {
    const desk = openDesk();
    const text = `email\n${jane}\n`;
    expect(await desk.importText(text, { origin: "breach-2021" })).toMatchObject({ sameAs: null });
    const packed = await desk.importText(gzipSync(text), { name: "other" }, "x.gz");
    expect(packed).toMatchObject({ imported: 1, sameAs: "shop" });
    expect(await desk.lookup(jane, "other")).toMatchObject([{ title: "Present in other" }]);
    expect(desk.corpora.get("other")?.origin).toBe("breach-2021");
    const zipped = await desk.importText(zipOf({ "a.csv": text }), { name: "third" }, "x.zip");
    expect(zipped.sameAs).toBe("shop");
    expect(desk.corpora.get("third")?.origin).toBe("breach-2021");
  });

  test("under another name have the origin given by the operator", async () => {
    const desk = openDesk();
    await desk.importText(`email\n${jane}\n`);
    const report = await desk.importText(`email\n${jane}\n`, { name: "other", origin: "mine" });
    expect(report.sameAs).toBe("shop");
    expect(desk.corpora.get("other")?.origin).toBe("mine");
  });

  test("change the origin of a corpus to the shared one, unless the operator gave it", async () => {
    const desk = openDesk();
    await desk.importText(`email\n${jane}\n`);
    for (const [name, origin] of [
      ["first", undefined],
      ["second", "given"],
    ] as const) {
      await desk.importText(`email\n${john}\n`, { name, origin }, `${name}.csv`);
      await desk.importText(`email\n${jane}\n`, { name }, "again.csv");
    }
    expect(desk.corpora.get("first")?.origin).toBe("shop");
    expect(desk.corpora.get("second")?.origin).toBe("given");
  });
});

describe("a dry run", () => {
  test("reports formats, counts and the first findings, and stores nothing", async () => {
    const desk = openDesk();
    const rows = Array.from({ length: 30 }, (_, index) => `u${index}@example.com,low,T${index}`);
    const report = await desk.importText(
      `email,severity,title\n${rows.join("\n")}\n${rows[0]}\nbad,low,x\n`,
      { isDryRun: true },
      "a.csv",
    );
    expect(report).toMatchObject({ read: 32, imported: 30, skipped: { duplicate: 1, invalid_email: 1 } });
    expect(report.dryRun?.files).toMatchObject([{ file: "a.csv", format: "csv" }]);
    expect(report.dryRun?.findings.map(({ title }) => title)).toEqual(
      Array.from({ length: 10 }, (_, index) => `T${index}`),
    );
    expect(JSON.stringify(report)).not.toContain("u0@example.com");
    expect(readdirSync(desk.corporaDir)).toEqual([]);
    expect(desk.publications).toEqual([]);
    expect(await desk.importText(`email\n${jane}\n`)).toMatchObject({ imported: 1 });
  });
});

test("a further file adds to the corpus, and records that are there already count as imported", async () => {
  const desk = openDesk();
  await desk.importText(`email\n${jane}\n`, {}, "a.csv");
  expect(await desk.importText(`email\n${jane}\n${john}\n`, {}, "b.csv")).toMatchObject({ imported: 2, skipped: {} });
  expect(await desk.lookup(jane)).toMatchObject([{ details: [{ file: "a.csv" }, { file: "b.csv" }] }]);
  expect(await desk.lookup(john)).toHaveLength(1);
});

test("a publication has the segment, the digest of the file, and defaults by format", async () => {
  const desk = openDesk();
  await desk.importText(`email\n${jane}\n`, {}, "a.csv");
  const [publication] = desk.publications;
  expect(publication).toMatchObject({
    name: "shop",
    scope: null,
    confidence: { value: 0.75, isGiven: false },
    origin: { value: "shop", isGiven: false },
    import: { fileName: "a.csv", format: "csv", recordCount: 1 },
  });
  expect(publication?.import.sha256).toBe(new Bun.CryptoHasher("sha256").update(`email\n${jane}\n`).digest("hex"));
  expect(readdirSync(desk.corporaDir)).toEqual([publication?.segment.file]);
});

describe("a file is refused, with the reason, and the old state stays", () => {
  const zeros = Buffer.alloc(4096);
  const noise = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * 2654435761) >>> 24));
  test.each([
    { what: "empty", name: "a.csv", bytes: Buffer.alloc(0), says: "the file is empty" },
    { what: "empty when unpacked", name: "a.gz", bytes: gzipSync(""), says: "the file is empty" },
    { what: "zeros", name: "a.csv", bytes: zeros, says: "binary" },
    { what: "noise", name: "a.csv", bytes: noise, says: "binary" },
    { what: "a header alone", name: "a.csv", bytes: Buffer.from("email,x\n"), says: "holds no records" },
    {
      what: "no usable record",
      name: "a.csv",
      bytes: Buffer.from("email\nx\ny\n"),
      says: "0 of 2 records can be used",
    },
    { what: ".zip by content", name: "a.csv", bytes: Buffer.from("PK\x03\x04xxxx"), says: "cut short" },
    { what: ".zip by name", name: "a.zip", bytes: Buffer.from(`email\n${jane}\n`), says: "unzip -p FILE |" },
    { what: ".7z", name: "a", bytes: Buffer.from("377abcaf271c0004", "hex"), says: "7z x -so FILE |" },
    { what: ".rar", name: "a", bytes: Buffer.from("526172211a070100", "hex"), says: "unrar p -inul FILE |" },
    { what: ".xz", name: "a", bytes: Buffer.from("fd377a585a000004", "hex"), says: "xz -dc FILE |" },
    { what: ".bz2", name: "a", bytes: Buffer.from("425a6839314159265359", "hex"), says: "bzip2 -dc FILE |" },
    { what: ".tar", name: "a", bytes: tar(), says: "tar -xOf FILE |" },
    { what: ".tar.gz", name: "a.tar.gz", bytes: gzipSync(tar()), says: "tar -xOf FILE |" },
    { what: "an encrypted file", name: "a", bytes: Buffer.from("age-encryption.org/v1\n"), says: "age -d FILE |" },
    {
      what: "an invalid .gz",
      name: "a.csv.gz",
      bytes: Buffer.from(`email\n${jane}\n`),
      says: "does not hold such data",
    },
    { what: "a damaged .gz", name: "a.gz", bytes: damaged(gzipSync(`email\n${jane}\n`)), says: "damaged or cut short" },
    {
      what: "a text without addresses",
      name: "a.txt",
      bytes: Buffer.from("once upon a time\n"),
      says: "no email addr",
    },
  ])("$what", async ({ name, bytes, says }) => {
    const desk = openDesk();
    await desk.importText(`email\n${jane}\n`, {}, "old.csv");
    const files = readdirSync(desk.corporaDir);
    const failure = desk.importText(bytes, {}, name);
    await expect(failure).rejects.toThrow(CorpusError);
    await expect(failure).rejects.toMatchObject({ kind: "refused", message: expect.stringContaining(says) });
    expect(readdirSync(desk.corporaDir)).toEqual(files);
    expect(desk.publications).toHaveLength(1);
    expect(await desk.lookup(jane)).toHaveLength(1);
  });

  test("with less than 1 % usable records, with the counts", async () => {
    const desk = openDesk();
    const rows = (usableCount: number) =>
      `email\n${Array.from({ length: 300 }, (_, index) => (index < usableCount ? `u${index}@example.com` : "x")).join("\n")}`;
    await expect(desk.importText(rows(2))).rejects.toThrow("2 of 300 records can be used (298 invalid_email)");
    expect(readdirSync(desk.corporaDir)).toEqual([]);
    expect(await desk.importText(rows(3))).toMatchObject({ imported: 3 });
  });

  test("a line of 300 MB, without holding it in memory", async () => {
    const desk = openDesk();
    const path = desk.file("long.csv", "email,x\n");
    // Not all zeros, which would be refused as binary. A hole in the file costs no disk space.
    writeFileSync(path, "x".repeat(70_000), { flag: "a" });
    truncateSync(path, 300 << 20);
    const before = process.memoryUsage().rss;
    await expect(desk.importFile(path)).rejects.toThrow("0 of 1 records can be used (1 too_long)");
    expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
  });

  test("a FIFO and a device, without waiting for them", async () => {
    const desk = openDesk();
    const fifo = join(desk.root, "fifo");
    execFileSync("mkfifo", [fifo]);
    for (const path of [fifo, "/dev/zero"]) {
      await expect(desk.importFile(path)).rejects.toMatchObject({ kind: "refused" });
    }
    await expect(desk.importFile(fifo)).rejects.toThrow("not a regular file");
  });
});

test("a missing file is not found", async () => {
  const desk = openDesk();
  await expect(desk.importFile(join(desk.root, "none.csv"))).rejects.toMatchObject({ kind: "not_found" });
  await expect(desk.importFile(join(desk.file("a.csv", ""), "b.csv"))).rejects.toMatchObject({ kind: "not_found" });
});

test("a symbolic link to a regular file is read", async () => {
  const desk = openDesk();
  const link = join(desk.root, "link.csv");
  symlinkSync(desk.file("a.csv", `email\n${jane}\n`), link);
  expect(await desk.importFile(link)).toMatchObject({ imported: 1 });
});

describe("an option is refused before the file is read", () => {
  const workspace = "5f0c3f0e-1111-4222-8333-444455556666" as WorkspaceId;
  const refusals: { what: string; options: Partial<ImportOptions>; kind: string; says: string }[] = [
    { what: "a name in capitals", options: { name: "Shop" }, kind: "invalid", says: "the name must be" },
    { what: "an empty name", options: { name: "" }, kind: "invalid", says: "the name must be" },
    { what: "a name of 51", options: { name: "a".repeat(51) }, kind: "invalid", says: "the name must be" },
    { what: "a name with a slash", options: { name: "a/../b" }, kind: "invalid", says: "the name must be" },
    { what: "a name with a line end", options: { name: "a\n" }, kind: "invalid", says: "the name must be" },
    { what: "a taken name", options: { name: "hibp" }, kind: "conflict", says: "another enabled source" },
    { what: "another scope", options: { scope: workspace }, kind: "conflict", says: "import with no --scope" },
    { what: "an invalid day", options: { date: "2021-02-30" }, kind: "invalid", says: "YYYY-MM-DD" },
    { what: "a confidence over 1", options: { confidence: 1.1 }, kind: "invalid", says: "from 0 to 1" },
    {
      what: "a confidence that is not a number",
      options: { confidence: Number.NaN },
      kind: "invalid",
      says: "from 0 to 1",
    },
  ];
  test.each(refusals)("$what", async ({ options, kind, says }) => {
    const desk = openDesk();
    await desk.importText(`email\n${john}\n`);
    const failure = desk.importFile("/does/not/exist", { takenNames: new Set(["hibp"]), ...options });
    await expect(failure).rejects.toMatchObject({ kind, message: expect.stringContaining(says) });
  });

  test("the scope of a scoped corpus must be given again", async () => {
    const desk = openDesk();
    await desk.importText(`email\n${john}\n`, { scope: workspace });
    await expect(desk.importText(`email\n${jane}\n`)).rejects.toThrow(`--scope ${workspace}`);
    expect(await desk.importText(`email\n${jane}\n`, { scope: workspace })).toMatchObject({ imported: 1 });
  });
});

describe("compressed files", () => {
  const [first, second] = [`email\n${jane}\n`, `${john}\n`];
  test.each([
    { kind: "gz", pack: (text: string) => gzipSync(text) },
    { kind: "zst", pack: (text: string) => zstdCompressSync(text) },
  ])(
    "two members in a .$kind are read, and every truncation except between them is refused",
    async ({ kind, pack }) => {
      const [start, end] = [pack(first), pack(second)];
      const whole = Buffer.concat([start, end]);
      const desk = openDesk();
      expect(await desk.importText(whole, {}, `a.csv.${kind}`)).toMatchObject({ read: 2, imported: 2 });
      for (let length = 0; length < whole.length; length++) {
        const cut = desk.importText(whole.subarray(0, length), { name: `cut${length}` }, `cut.csv.${kind}`);
        if (length === start.length) expect(await cut).toMatchObject({ read: 1, imported: 1 });
        else await expect(cut).rejects.toMatchObject({ kind: "refused" });
      }
      expect([...desk.corpora.keys()]).toEqual([`cut${start.length}`, "shop"]);
      const withRubbish = Buffer.concat([whole, Buffer.from("rubbish")]);
      await expect(desk.importText(withRubbish, {}, `b.csv.${kind}`)).rejects.toThrow("damaged or cut short");
    },
  );

  test("a zst that starts with a skippable frame is read", async () => {
    const desk = openDesk();
    const frame = Buffer.from("502a4d180400000061626364", "hex");
    expect(await desk.importText(Buffer.concat([frame, zstdCompressSync(first)]))).toMatchObject({ imported: 1 });
  });

  test("a small file may unpack to more than fits in memory", async () => {
    const desk = openDesk();
    const bomb = Buffer.concat(Array(64).fill(gzipSync(Buffer.alloc(8 << 20, `${"x".repeat(1023)}\n`))));
    expect(bomb.length).toBeLessThan(3 << 20);
    const before = process.memoryUsage().rss;
    const failure = desk.importText(bomb, { format: "list" }, "bomb.gz");
    await expect(failure).rejects.toThrow("0 of 524288 records can be used");
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
  }, 120_000);
});

test("standard input is read as it comes, under the name -", async () => {
  const desk = openDesk();
  async function* stdin() {
    for (const byte of Buffer.from(`email,severity,title\n${jane},low,Größe\n`)) yield Buffer.from([byte]);
  }
  expect(await desk.importFile("", { source: { stdin: stdin() } })).toMatchObject({ imported: 1 });
  expect(await desk.lookup(jane)).toMatchObject([{ title: "Größe", details: [{ file: "-" }] }]);
});

test("progress is reported at most four times per second and never decreases", async () => {
  const desk = openDesk();
  let milliseconds = 0;
  const seen: ImportProgress[] = [];
  async function* stdin() {
    yield Buffer.from("email\n");
    for (let index = 0; index < 200; index++) {
      milliseconds += 50;
      yield Buffer.from(`${"x".repeat(20_000)}\nu${index}@example.com\n`);
    }
  }
  await desk.importFile(
    "",
    { source: { stdin: stdin() } },
    { now: () => new Date(milliseconds), onProgress: (progress) => seen.push(progress) },
  );
  expect(seen.length).toBeGreaterThan(30);
  expect(seen.length).toBeLessThanOrEqual(40);
  for (const [index, progress] of seen.entries()) {
    expect(progress.bytesTotal).toBeNull();
    expect(progress.bytesRead).toBeGreaterThan(seen[index - 1]?.bytesRead ?? 0);
    expect(progress.read).toBeGreaterThanOrEqual(seen[index - 1]?.read ?? 0);
  }
});

describe("all or nothing", () => {
  test("an import that is aborted leaves no file and publishes nothing", async () => {
    const desk = openDesk();
    const abort = new AbortController();
    async function* stdin() {
      for (let index = 0; ; index++) {
        if (index === 100) abort.abort(new Error("interrupted"));
        yield Buffer.from(`email\nu${index}@example.com\n`);
      }
    }
    const failure = desk.importFile("", { source: { stdin: stdin() } }, { signal: abort.signal });
    await expect(failure).rejects.toThrow("interrupted");
    expect(readdirSync(desk.corporaDir)).toEqual([]);
    expect(desk.publications).toEqual([]);
  });

  test("an import is aborted while it waits for standard input", async () => {
    const desk = openDesk();
    const abort = new AbortController();
    async function* stdin() {
      yield Buffer.from(`email\n${jane}\n`);
      abort.abort(new Error("interrupted"));
      await new Promise(() => undefined);
    }
    const failure = desk.importFile("", { source: { stdin: stdin() } }, { signal: abort.signal });
    await expect(failure).rejects.toThrow("interrupted");
    expect(readdirSync(desk.corporaDir)).toEqual([]);
  });

  test("an import whose publication fails leaves no file", async () => {
    const desk = openDesk();
    const publishImport = () => Promise.reject(new Error("the database is full"));
    const failure = desk.importFile(
      desk.file("a.csv", `email\n${jane}\n`),
      {},
      {
        store: { ...desk.context.store, publishImport },
      },
    );
    await expect(failure).rejects.toThrow("the database is full");
    expect(readdirSync(desk.corporaDir)).toEqual([]);
  });

  test("an input that fails in the middle leaves no file", async () => {
    const desk = openDesk();
    async function* stdin() {
      yield Buffer.from(`email\n${jane}\n`.repeat(10_000));
      throw new Error("the pipe broke");
    }
    await expect(desk.importFile("", { source: { stdin: stdin() } })).rejects.toThrow("the pipe broke");
    expect(readdirSync(desk.corporaDir)).toEqual([]);
  });

  test("a look-up sees the old state until the publication", async () => {
    const desk = openDesk();
    await desk.importText(`email,severity,title\n${jane},low,old\n`, {}, "a.csv");
    const seen: string[][] = [];
    const { publishImport } = desk.context.store;
    const store = {
      ...desk.context.store,
      publishImport: async (...publication: Parameters<typeof publishImport>) => {
        seen.push((await desk.lookup(jane)).map(({ title }) => title));
        return publishImport(...publication);
      },
    };
    await desk.importFile(desk.file("b.csv", `email,severity,title\n${jane},low,new\n`), {}, { store });
    seen.push((await desk.lookup(jane)).map(({ title }) => title));
    expect(seen).toEqual([["old"], ["new", "old"]]);
  });

  test("a killed import leaves no file", async () => {
    const desk = openDesk();
    const source = fileURLToPath(new URL("../../../src/corpus/import/import.ts", import.meta.url));
    // Reports when it has read and spilled, then waits for more input.
    const script = `
      import { importCorpus } from ${JSON.stringify(source)};
      import { openInlineLane } from ${JSON.stringify(fileURLToPath(new URL("../../helpers/inline-lane.ts", import.meta.url)))};
      import { deriveKeys } from ${JSON.stringify(source.replace("corpus/import/import.ts", "domain/keyed-hash.ts"))};
      async function* stdin() {
        yield Buffer.from("email\\n");
        for (let block = 0; block < 106; block++) {
          yield Buffer.from(Array.from({ length: 10000 }, (_, n) => "u" + block + "." + n + "@example.com\\n").join(""));
        }
        console.log("waiting");
        await new Promise((resolve) => setTimeout(resolve, 60000));
      }
      await importCorpus(
        { source: { stdin: stdin() }, importer: "test", name: "shop", scope: null, takenNames: new Set() },
        { store: { listCorpora: async () => [], listForgotten: async () => [], publishImport: async () => ({ outcome: "published", sameAs: null }) },
          openLane: openInlineLane, laneCount: 2,
          keys: deriveKeys(Buffer.alloc(32)), corporaDir: ${JSON.stringify(desk.corporaDir)},
          now: () => new Date(), newId: () => crypto.randomUUID(), by: () => null, signal: new AbortController().signal },
      );`;
    const child = spawn(process.execPath, [desk.file("child.ts", script)], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await ended;
    expect(readdirSync(desk.corporaDir)).toEqual([]);
  }, 60_000);

  test("only files that no import names are removed", async () => {
    const desk = openDesk();
    await desk.importText(`email\n${jane}\n`);
    const live = readdirSync(desk.corporaDir);
    for (const name of ["a.tmp", "b.spill.tmp", "c.seg", "keep.txt"]) writeFileSync(join(desk.corporaDir, name), "x");
    expect(await removeOrphans(desk.corporaDir, new Set(live))).toBe(3);
    expect(readdirSync(desk.corporaDir).sort()).toEqual([...live, "keep.txt"].sort());
    expect(await desk.lookup(jane)).toHaveLength(1);
  });
});

test("concurrent imports do not affect each other", async () => {
  const desk = openDesk();
  const names = ["a", "b", "c", "d"];
  await Promise.all(
    names.map((name) =>
      desk.importText(
        `email,severity,title\n${jane},low,${name}\n${name}@example.org,low,x\n`,
        { name },
        `${name}.csv`,
      ),
    ),
  );
  for (const name of names) {
    expect(await desk.lookup(jane, name)).toMatchObject([{ title: name }]);
    expect(await desk.lookup(`${name}@example.org`, name)).toHaveLength(1);
  }
});

test("memory does not grow with the file", async () => {
  const desk = openDesk();
  let count = 0;
  async function* stdin() {
    yield Buffer.from("email,password\n");
    for (let block = 0; block < 110; block++) {
      yield Buffer.from(Array.from({ length: 10_000 }, () => `u${count++}@example.com,${"p".repeat(20)}\n`).join(""));
    }
  }
  const before = process.memoryUsage().rss;
  const report = await desk.importFile("", { source: { stdin: stdin() } });
  expect(report).toMatchObject({ read: 1_100_000, imported: 1_100_000 });
  expect(process.memoryUsage().rss - before).toBeLessThan(300 << 20);
  for (const index of [0, 777_777, 1_099_999]) {
    expect(await desk.lookup(`u${index}@example.com`)).toHaveLength(1);
  }
}, 120_000);

/** A tar header is 512 bytes with its mark at 257. */
function tar(): Buffer {
  const block = Buffer.alloc(1024);
  block.write("a.csv");
  block.write("ustar", 257);
  return block;
}

function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8((copy[copy.length - 6] ?? 0) ^ 1, copy.length - 6);
  return copy;
}

describe("a folder", () => {
  function folderOf(desk: ReturnType<typeof openDesk>, files: Record<string, string | Uint8Array>): string {
    const root = join(desk.root, "leak");
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(root, name, ".."), { recursive: true });
      writeFileSync(join(root, name), content);
    }
    return root;
  }

  test("is read with everything below it, and its findings name their file", async () => {
    const desk = openDesk();
    const root = folderOf(desk, {
      "data/a/j": `${jane}:pw\n`,
      "data/b/symbols": `${john}:pw`,
      "data/c.txt.gz": gzipSync("carl@example.com:pw\n"),
      "data/d.txt.zst": zstdCompressSync("dora@example.com:pw\n"),
      "data/again": `${jane}:other\n`,
      "empty.txt": "",
      "picture.png": Buffer.alloc(5000, 3),
    });
    symlinkSync(root, join(root, "loop"));
    execFileSync("mkfifo", [join(root, "fifo")]);
    const report = await desk.importFile(root);
    expect(report).toMatchObject({ read: 5, imported: 4, skipped: { duplicate: 1 }, formats: { combo: 5 } });
    expect(report.entryCount).toBe(5);
    expect(report.leftOut).toHaveLength(4);
    expect(await desk.lookup(jane)).toMatchObject([
      { details: [{ file: "leak", entry: "data/a/j", format: "combo" }] },
    ]);
    expect(await desk.lookup(john)).toMatchObject([{ details: [{ entry: "data/b/symbols" }] }]);
    expect(await desk.lookup("carl@example.com")).toMatchObject([{ details: [{ entry: "data/c.txt.gz" }] }]);
    expect(await desk.lookup("dora@example.com")).toMatchObject([{ details: [{ entry: "data/d.txt.zst" }] }]);
    const again = await desk.importFile(`${root}/`);
    expect(again).toMatchObject({ imported: 0, skipped: { already_imported: 5 } });
  });

  test("reads each file by its own format, and lists files without addresses as left out", async () => {
    const desk = openDesk();
    const root = folderOf(desk, {
      "a.txt": `${jane}:pw\n`,
      "b.csv": `email,severity,title\n${john},low,A\n`,
      "notes/readme": "nothing to see here\n",
    });
    const report = await desk.importFile(root);
    expect(report).toMatchObject({ read: 2, imported: 2, formats: { combo: 1, csv: 1 } });
    expect(report.leftOut).toEqual([{ file: "notes/readme", reason: "without addresses" }]);
    expect(await desk.lookup(jane)).toMatchObject([
      { category: "credential_leak", title: "Present in shop", details: [{ entry: "a.txt", format: "combo" }] },
    ]);
    expect(await desk.lookup(john)).toMatchObject([
      { category: "breach", title: "A", details: [{ entry: "b.csv", format: "csv" }] },
    ]);
    await desk.importText(`${jane}:pw\n`, { name: "other" });
    await desk.merge();
    expect(await desk.lookup(john)).toMatchObject([{ category: "breach", details: [{ format: "csv" }] }]);
  });

  test("is read in a given format", async () => {
    const desk = openDesk();
    const root = folderOf(desk, { "a.txt": `${jane}:pw\n`, "b.csv": `email,title\n${john},A\n` });
    expect(await desk.importFile(root, { format: "combo" })).toMatchObject({ imported: 2, skipped: { no_email: 1 } });
  });

  test("without a text file is refused", async () => {
    const desk = openDesk();
    await expect(desk.importFile(folderOf(desk, { "a/b": "" }))).rejects.toThrow("no file with text");
    const empty = join(desk.root, "none");
    mkdirSync(empty);
    await expect(desk.importFile(empty)).rejects.toThrow("holds no files");
  });
});

describe("a .zip archive", () => {
  const files = { "a.txt": `${jane}:pw\n`, "sub/b.txt": `${john}:pw\n`, "c.bin": Buffer.alloc(3000, 2) };

  test.each([8, 0])("packed by method %i is read file by file, also in a folder", async (method) => {
    const desk = openDesk();
    const path = desk.file("leak.zip", zipOf(files, method));
    const report = await desk.importFile(path);
    expect(report).toMatchObject({ read: 2, imported: 2, entryCount: 2 });
    expect(report.leftOut).toHaveLength(1);
    expect(report.sizeBytes).toBeGreaterThan(4096);
    expect(await desk.lookup(john)).toMatchObject([{ details: [{ file: "leak.zip", entry: "sub/b.txt" }] }]);
    expect(desk.publications[0]?.import.sha256).toBe(
      new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex"),
    );
    const folder = join(desk.root, "folder");
    mkdirSync(folder);
    writeFileSync(join(folder, "x.zip"), readFileSync(path));
    await desk.importFile(folder, { name: "other" });
    expect(await desk.lookup(john, "other")).toMatchObject([{ details: [{ entry: "x.zip/sub/b.txt" }] }]);
  });

  test.each(["../a.txt", "a/../../b", "/etc/a", "C:/a", "..\\a", "a\0b", "./a"])(
    "with the name %j is refused",
    async (name) => {
      const desk = openDesk();
      const failure = desk.importText(zipOf({ ok: `${jane}:pw\n`, [name]: `${jane}:pw\n` }), {}, "x.zip");
      await expect(failure).rejects.toThrow("leaves the archive");
    },
  );

  test("that is encrypted, packed by another method, or truncated anywhere is refused", async () => {
    const desk = openDesk();
    const bytes = zipOf(files);
    const central = bytes.indexOf(Buffer.from("504b0102", "hex"));
    const changed = (offset: number, value: number) => {
      const copy = Buffer.from(bytes);
      copy.writeUInt16LE(value, central + offset);
      return copy;
    };
    await expect(desk.importText(changed(8, 1), {}, "x.zip")).rejects.toThrow("encrypted");
    await expect(desk.importText(changed(10, 14), {}, "x.zip")).rejects.toThrow("method 14");
    await expect(desk.importText(changed(16, 0x1234), {}, "x.zip")).rejects.toThrow("damaged");
    for (let length = 4; length < bytes.length; length += 7) {
      await expect(desk.importText(bytes.subarray(0, length), {}, "x.zip")).rejects.toMatchObject({ kind: "refused" });
    }
    expect(readdirSync(desk.corporaDir)).toEqual([]);
  });

  test("that is a decompression bomb is refused while reading", async () => {
    const desk = openDesk();
    const bomb = zipOf({ "a.txt": Buffer.alloc(256 << 20, `${"x".repeat(1023)}\n`) });
    expect(bomb.length).toBeLessThan(2 << 20);
    await expect(desk.importText(bomb, { format: "list" }, "x.zip")).rejects.toThrow("expands more than");
  }, 60_000);

  test("with overlapping files is refused", async () => {
    const desk = openDesk();
    const bytes = zipOf({ "a.txt": `${jane}:pw\n`, "b.txt": `${jane}:pw\n` });
    const second = bytes.lastIndexOf(Buffer.from("504b0102", "hex"));
    bytes.writeUInt32LE(0, second + 42);
    await expect(desk.importText(bytes, {}, "x.zip")).rejects.toThrow("share their bytes");
  });

  test("from standard input is read as a stream", async () => {
    const desk = openDesk();
    async function* stdin() {
      yield zipOf(files);
    }
    const report = await desk.importFile("", { source: { stdin: stdin() } });
    expect(report).toMatchObject({ read: 2, imported: 2, entryCount: 2 });
    expect(report.leftOut).toHaveLength(1);
    expect(await desk.lookup(john)).toMatchObject([{ details: [{ file: "-", entry: "sub/b.txt" }] }]);
  });
});

describe("forgetting", () => {
  test("counts records of a forgotten address as forgotten and never finds them, before and after", async () => {
    const desk = openDesk();
    await desk.importText(`${jane}:pw\n${john}:pw\n`, {}, "a.txt");
    await desk.forget(jane);
    expect(await desk.lookup(jane)).toEqual([]);
    expect(await desk.lookup(john)).toHaveLength(1);
    const report = await desk.importText(`${jane}:pw\n${jane}:pw2\n${john}:pw3\nx\n`, {}, "b.txt");
    expect(report).toMatchObject({ read: 4, imported: 1, skipped: { forgotten: 2, no_email: 1 } });
    expect(await desk.lookup(jane)).toEqual([]);
  });

  test("a file with only forgotten addresses is refused for that reason, not for its format", async () => {
    const desk = openDesk();
    await desk.forget(jane);
    const work = desk.importText(`email\n${jane}\n`, {}, "a.csv");
    await expect(work).rejects.toThrow("0 of 1 records can be used (1 forgotten); the addresses are those that");
  });
});

/** Files of every format that can name the site of a login. Formats without a site are not here. */
const sensitiveLogins = [
  ["ulp", "a.txt", `https://m.pornhub.com/login:${jane}:pw\n`],
  ["ulp without a scheme", "a.txt", `https://shop.example/:${john}:pw\nwww.pornhub.com:${jane}:pw\n`],
  ["stealer", "a.txt", `URL: https://www.pornhub.com/login\nUsername: ${jane}\nPassword: pw\n`],
  ["csv of logins", "a.csv", `url,username,password\nhttps://www.pornhub.com/,${jane},pw\n`],
  ["csv with a subject", "a.csv", `email,subject\n${jane},pornhub.com\n`],
  ["csv with a title", "a.csv", `email,title\n${jane},Account at pornhub.com\n`],
  ["csv with a page", "a.csv", `email,source_url\n${jane},https://www.pornhub.com/jane\n`],
  ["jsonl of logins", "a.jsonl", `{"url":"https://www.pornhub.com/","email":"${jane}","password":"pw"}\n`],
  ["jsonl with a subject", "a.jsonl", `{"email":"${jane}","subject":"pornhub.com"}\n`],
  ["hibp-domain", "example.com.json", `{"jane.doe":["www.pornhub.com"]}`],
  ["dehashed", "a.json", `{"entries":[{"id":"1","email":["${jane}"],"database_name":"pornhub.com"}]}`],
] as const;

test.each(sensitiveLogins)("a sensitive site is not stored, and the record is: %s", async (_format, file, text) => {
  const desk = openDesk();
  await desk.importText(text, {}, file);
  expect(await desk.lookup(jane)).toHaveLength(1);
  expect(JSON.stringify(await desk.lookup(jane))).not.toContain("pornhub");
  for (const name of readdirSync(desk.corporaDir)) {
    expect(readFileSync(join(desk.corporaDir, name), "latin1")).not.toContain("pornhub");
  }
});

test("of a login at a sensitive site only the site is dropped", async () => {
  const desk = openDesk();
  const lines = ["https://www.okcupid.com/login", "https://m.pornhub.com:443/", "grindr.com", "https://shop.example/"];
  const report = await desk.importText(lines.map((site, index) => `${site}:u${index}@example.com:pw`).join("\n"));
  expect(report).toMatchObject({ read: 4, imported: 4, formats: { ulp: 4 } });
  for (const index of [0, 1, 2]) {
    expect(await desk.lookup(`u${index}@example.com`)).toMatchObject([
      { title: "Credentials in shop", subjects: ["any-infostealer"] },
    ]);
  }
  expect(await desk.lookup("u3@example.com")).toMatchObject([{ subjects: ["shop.example"] }]);
  for (const file of readdirSync(desk.corporaDir)) {
    expect(readFileSync(join(desk.corporaDir, file), "latin1")).not.toMatch(/okcupid|pornhub|grindr/);
  }
});
