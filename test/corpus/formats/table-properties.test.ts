import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { CorpusError } from "../../../src/corpus/error.ts";
import type { Plan, ReadRecord, RecordReader, RecordSink, Wishes } from "../../../src/corpus/formats/format.ts";
import { jsonLineReader } from "../../../src/corpus/formats/json-reader.ts";
import { JsonScanner } from "../../../src/corpus/formats/json-scanner.ts";
import { LineScanner } from "../../../src/corpus/formats/line-scanner.ts";
import { formats } from "../../../src/corpus/formats/registry.ts";
import { sampleOf } from "../../../src/corpus/formats/sample.ts";
import { noFields, parseFields, type RecordFields } from "../../../src/corpus/record.ts";
import type { EmailAddress } from "../../../src/domain/email.ts";
import { corpusPrefixSize } from "../../../src/domain/keyed-hash.ts";
import { noWishes } from "../../helpers/read-format.ts";
import { toldRecord } from "../../helpers/read-table.ts";

vi.setConfig({ testTimeout: 600_000 });

const names = ["csv", "jsonl", "dehashed", "hibp-domain"] as const;
type Name = (typeof names)[number];

/** The records given to a sink that encodes fields as JSON. */
function openSink() {
  const scanner = new LineScanner(new Uint8Array(corpusPrefixSize));
  const records: ReadRecord[] = [];
  let further = 0;
  const put = (fields: Uint8Array, size: number, format?: Parameters<RecordSink["addScanned"]>[0]) => {
    const text = Buffer.from(fields).toString("utf8", 0, size);
    records.push({
      address: scanner.address() as EmailAddress,
      fields: text === "" ? noFields : (JSON.parse(text) as RecordFields),
      droppedCount: 0,
      ...(format === undefined ? {} : { format }),
    });
  };
  const sink: RecordSink = {
    scanner,
    add: (record) => records.push(record),
    addScanned: (format) => put(scanner.fields, scanner.fieldsSize, format),
    encode: (fields) => Buffer.from(JSON.stringify(fields)),
    addRead: (fields) => put(fields, fields.length),
    noteFurtherAddresses: (count) => {
      further += count;
    },
  };
  return { sink, told: () => ({ records: records.map(toldRecord), further }) };
}

function planOf(name: Name, text: Buffer, fileName: string, wishes: Wishes, isNamed: boolean): Plan | null {
  const sample = sampleOf(fileName, text.subarray(0, 64 << 10), text.length <= 64 << 10);
  try {
    return isNamed ? formats[name].plan(sample, wishes) : formats[name].recognises(sample, wishes);
  } catch (error) {
    if (!(error instanceof CorpusError)) throw error;
    return null;
  }
}

/** Reads a text in blocks of `size` bytes, larger if a record needs it. */
function readBlocks(name: Name, plan: Plan, text: Buffer, size: number) {
  const { open, cut } = formats[name];
  const { sink, told } = openSink();
  let ordered: RecordReader | null = null;
  // The header is always in the first block: a real block has a megabyte.
  const { skipSize = 0, table = null } = plan as { skipSize?: number; table?: { skipSize: number } | null };
  const headSize = table?.skipSize ?? skipSize;
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size + (start === 0 ? headSize : 0));
    if (plan.isOrdered !== true) {
      for (;;) {
        // Bytes after the end belong to another text.
        const block = Buffer.concat([text.subarray(start, end), Buffer.from('"trap@zq7.example",\n')]);
        const at = end === text.length ? end - start : (cut?.(block, 0, end - start, plan, start === 0) ?? 0);
        if (at > 0) {
          end = start + at;
          break;
        }
        end = Math.min(text.length, end + size);
      }
    }
    const bytes = Buffer.concat([text.subarray(start, end), Buffer.from('\n"trap@zq7.example",\n')]);
    const reader: RecordReader = ordered ?? open(plan, sink, start === 0);
    reader.read(bytes, 0, end - start);
    if (plan.isOrdered === true) ordered = reader;
    else reader.end();
    start = end;
  }
  (ordered as RecordReader | null)?.end();
  return told();
}

const marker = "zq7";
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
  "Zq7.Doe@EXAMPLE.COM",
  "zq7jürgen@bücher.example",
);
const url = fc.constantFrom(
  "https://portal.example/Zq7path",
  "https://shop.example.org/?user=Zq7name&p=1",
  "https://zq7user:zq7pw@forum.example.net/login",
  "https://portal.example/reset?email=zq7tom@example.com",
  "zq7://x.example/",
);
const text = fc.oneof(
  word,
  address,
  url,
  fc.tuple(word, address).map(([a, b]) => `${a} <${b}>`),
  fc.tuple(address, word).map(([a, b]) => `${a}:${b}`),
  word.map((secret) => `My password is ${secret}`),
  word.map((secret) => `"${secret}\n,;\t|`),
  word.map((secret) => secret.padEnd(300, "q")),
  fc.constantFrom("", "NULL", "2021", "1.2.2021", "1617876672", "low", "high", "1", "x"),
);
const column = fc.oneof(
  word,
  address,
  fc.constantFrom(
    ...["email", "E-Mail", "category", "severity", "title", "subject", "source_url", "date", "login", "password"],
    ...["url", "username", "database_name", "id", "alias", "domain", "breach", "name", "hashed_password", "correo"],
  ),
);
/** All columns are among the seven: evidence, whose text is kept. */
const evidence = fc.constantFrom(
  ["email", "severity", "title", "subject", "category", "source_url", "date"],
  ["email", "source_url", "title"],
);
const quoted = (cell: string) => (/[",;|\t\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const table = fc
  .tuple(
    fc.oneof(evidence, fc.array(column, { minLength: 1, maxLength: 6 })),
    fc.array(fc.tuple(address, fc.array(text, { minLength: 7, maxLength: 7 })), { minLength: 1, maxLength: 6 }),
    fc.constantFrom(",", ";", "|", "\t"),
    fc.integer({ min: -1, max: 1 }),
  )
  .map(([header, rows, by, ragged]) =>
    [header, ...rows.map(([owner, cells]) => [owner, ...cells].slice(0, Math.max(1, header.length + ragged)))]
      .map((row) => row.map(quoted).join(by))
      .join("\n"),
  );
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(column, tie("tree"), { maxKeys: 4 }),
  ),
}));
const object = fc.oneof(
  fc.dictionary(column, tree, { maxKeys: 5 }),
  fc
    .tuple(evidence, fc.array(text, { minLength: 7, maxLength: 7 }), address)
    .map(([members, texts, owner]) =>
      Object.fromEntries(members.map((member, index) => [member, index === 0 ? owner : texts[index]])),
    ),
);
const json = fc
  .tuple(
    fc.array(object, { minLength: 1, maxLength: 4 }),
    fc.constantFrom("lines", "array", "wrapped", "pretty"),
    column,
  )
  .map(([records, form, wrapper]) => {
    if (form === "lines") return records.map((record) => JSON.stringify(record)).join("\n");
    if (form === "array") return JSON.stringify(records);
    if (form === "wrapped") return JSON.stringify({ [wrapper]: records, took: 1 });
    return records.map((record) => JSON.stringify(record, null, 2)).join("\n");
  });
const leaks = fc
  .dictionary(
    word.map((local) => local.toLowerCase()),
    fc.array(fc.oneof(word, address, fc.constantFrom("Adobe", "ExampleShop", "shop.example.com"))),
    {
      minKeys: 1,
      maxKeys: 4,
    },
  )
  .map((map) => JSON.stringify(map));
const anything = fc
  .array(
    fc.constantFrom(
      '"',
      "\n",
      ",",
      "\r",
      "{",
      "}",
      "[",
      "]",
      ":",
      "\\",
      " ",
      "email",
      "a@b.example",
      '"email"',
      "jane@example.com",
      "ä",
      "x",
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));
const fileName = fc.constantFrom("a.csv", "a.json", "a.txt", "example.com.json", "zq7@example.com.csv");
const wishes: fc.Arbitrary<Wishes> = fc.constantFrom(
  noWishes,
  noWishes,
  { ...noWishes, fields: ["title", "subject", "category"] as const },
  { ...noWishes, column: "2" },
  { ...noWishes, column: "login" },
);

test.each(names)(
  "%s keeps of any text only addresses, dates, sites and known names, and nothing that looks like a secret",
  (name) => {
    fc.assert(
      fc.property(
        fc.oneof(table, json, leaks, anything),
        fileName,
        wishes,
        fc.boolean(),
        (content, file, wish, isNamed) => {
          const bytes = Buffer.from(content);
          const plan = planOf(name, bytes, file, wish, isNamed);
          if (plan === null) return;
          expect(JSON.stringify(plan.columns).toLowerCase()).not.toContain(marker);
          for (const record of readBlocks(name, plan, bytes, 1 << 20).records) {
            const [, ...kept] = record.split(" ");
            expect(kept.join(" ").toLowerCase()).not.toContain(marker);
            if (name !== "hibp-domain") expect(kept.join(" ")).not.toContain("@");
          }
        },
      ),
      { numRuns: 1500 },
    );
  },
);

test.each(["csv", "jsonl", "dehashed"] as const)("the records of %s do not depend on the block ends", (name) => {
  const content = fc.oneof(
    table,
    json,
    anything,
    fc.array(fc.oneof(table, json, anything), { maxLength: 3 }).map((all) => all.join("\n")),
  );
  fc.assert(
    fc.property(
      content,
      fc.integer({ min: 1, max: 300 }),
      fc.boolean(),
      fc.constantFrom("\n", "\r\n", "\r"),
      (raw, size, isNamed, lineEnd) => {
        const bytes = Buffer.from(raw.replaceAll("\n", lineEnd));
        const plan = planOf(name, bytes, "a.csv", noWishes, isNamed);
        if (plan === null || bytes.length === 0) return;
        expect(readBlocks(name, plan, bytes, size)).toEqual(readBlocks(name, plan, bytes, 1 << 20));
      },
    ),
    { numRuns: 1500 },
  );
});

test("the fast path for objects agrees with parsing their text", () => {
  const value = fc.oneof(
    fc.string(),
    text,
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(fc.string(), { maxLength: 2 }),
    fc.record({ a: fc.string() }),
  );
  const key = fc.oneof(column, fc.constantFrom("email", "date", "mail"), fc.string());
  const flat = fc.tuple(
    fc.array(fc.tuple(key, value), { maxLength: 5 }),
    fc.constantFrom("jane@example.com", "JANE@Example.com", "nobody", ""),
    fc.integer({ min: 0, max: 5 }),
  );
  let scannedCount = 0;
  fc.assert(
    fc.property(fc.array(flat, { minLength: 1, maxLength: 5 }), fc.boolean(), (records, isSpaced) => {
      const lines = records.map(([members, owner, at]) => {
        const all = members.toSpliced(at, 0, ["email", owner]);
        const parts = all.map(
          ([name, one]) => `${JSON.stringify(name)}${isSpaced ? ": " : ":"}${JSON.stringify(one) ?? "null"}`,
        );
        return `{${parts.join(isSpaced ? ", " : ",")}}`;
      });
      const bytes = Buffer.from(`${lines.join("\n")}\n`);
      const rules = { column: null, fieldsOf: (record: object) => parseFields({ date: dateIn(record) }) };
      const [fast, slow] = [openSink(), openSink()];
      const scanner = new JsonScanner(fast.sink);
      const scan = scanner.scan.bind(scanner);
      scanner.scan = (...range) => {
        const end = scan(...range);
        if (end > 0) scannedCount++;
        return end;
      };
      jsonLineReader(fast.sink, rules, scanner).read(bytes, 0, bytes.length - 1);
      jsonLineReader(slow.sink, rules, null).read(bytes, 0, bytes.length - 1);
      expect(fast.told()).toEqual(slow.told());
    }),
    { numRuns: 3000 },
  );
  expect(scannedCount).toBeGreaterThan(300);
});

/** The fields kept of records that are not evidence. */
function dateIn(record: object): string | undefined {
  const [, date] = Object.entries(record).find(([name]) => name.toLowerCase().replace(/[\s_-]+/g, "") === "date") ?? [];
  return typeof date === "string" ? date : typeof date === "number" ? String(date) : undefined;
}

test("the fast path for rows agrees with reading their cells", () => {
  const cell = fc.oneof(
    text,
    fc.constantFrom(
      "jane@example.com",
      "JANE@example.com ",
      "jane",
      "2021-04-08",
      "2021-04-08 10:11",
      "08.04.2021",
      "https://a.example/x",
      "-",
    ),
  );
  const header = fc.constantFrom("id,email,date,x", "url,username,password,date", "email,name,date,pw");
  fc.assert(
    fc.property(
      header,
      fc.array(fc.array(cell, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
      (head, given) => {
        // A row without a sign of an address whose cell repeats the name of its column is a repeated header, not a record.
        const names = new Set(head.split(","));
        const rows = given.map((row) => row.map((one) => (names.has(one.trim().toLowerCase()) ? `${one}1` : one)));
        const write = (last: string) =>
          `${head},z\n${rows.map((row) => [...row.map(quoted), last].join(",")).join("\n")}\n`;
        const [plain, signed] = ["", "@"].map((last) => {
          const bytes = Buffer.from(write(last));
          const plan = planOf("csv", Buffer.from(write("")), "a.csv", noWishes, true);
          return plan === null ? null : readBlocks("csv", plan, bytes, 1 << 20);
        });
        expect(plain).toEqual(signed);
      },
    ),
    { numRuns: 1500 },
  );
});

describe("hostile texts cost time linear in their length", () => {
  const fills = [
    ...[
      '"',
      '""',
      '"\n',
      '"a\n',
      '""a\n',
      '"",\n',
      '"a""\n',
      ',"',
      '\\"',
      '"x,\n',
      ",",
      "\n",
      ";|\t",
      "a@",
      "a@b.example,",
    ],
    ...["[", "{", '{"a":', '[{"a":', "[[1],", '{"email":"', '{"email":"a@b.example"}', '{"email":"a@b.example"},', "}"],
    ...['"\\', "[1,", '{"a@b.example":', '{"password":{"email":"a@b.example"', "ü@b.example ", "[NaN],\n", " ", "]"],
  ];
  const heads = ["", "email,database_name,id,name\n", '{"a":[', '{"a":"'];

  /** Processor time in seconds. */
  function cost(name: Name, head: string, fill: string, size: number): number {
    const bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(size, fill)]);
    const before = process.cpuUsage().user;
    const plan = planOf(name, bytes, "example.com.csv", noWishes, true);
    if (plan !== null) readBlocks(name, plan, bytes, 1 << 20);
    return (process.cpuUsage().user - before) / 1e6;
  }

  test.each(names)("as %s", (name) => {
    for (const fill of fills) {
      for (const head of heads) {
        // A tenth of a second on a slow machine; quadratic cost would take minutes.
        expect(cost(name, head, fill, 1 << 18), `${head}${fill}`).toBeLessThan(3);
      }
    }
  });

  test.each(['"', '"x,\n', "[", '{"email":"a@b.example"},', "ü@b.example "])("5 MB of %s", (fill) => {
    for (const name of names) expect(cost(name, "", fill, 5 << 20)).toBeLessThan(20);
  });
});
