import { describe, expect, test } from "vitest";
import { jsonl } from "../../../src/corpus/formats/jsonl.ts";
import { sampleOf } from "../../../src/corpus/formats/sample.ts";
import { noWishes } from "../../helpers/read-format.ts";
import { readTable } from "../../helpers/read-table.ts";
import { detectedFormat } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const john = "john.roe@example.org";
const tom = "tom.elm@example.net";

const lines = (...records: unknown[]) => `${records.map((record) => JSON.stringify(record)).join("\n")}\n`;

async function read(text: string) {
  expect(detectedFormat(text, "dump.json")).toBe("jsonl");
  return readTable("jsonl", text);
}

describe("records are found", () => {
  const secret = { pw: "hunter2", id: 1 };
  test.each([
    { what: "lines", text: lines({ email: jane, ...secret }, { email: john, ...secret }) },
    {
      what: "lines of MongoDB",
      text: lines({ _id: { $oid: "5f0" }, email: jane, at: { $date: "2020" } }, { _id: 1, email: john }),
    },
    {
      what: "lines of the MongoDB shell",
      text: `{ "_id" : ObjectId("5f0"), "email" : "${jane}" }\n{ "_id" : ObjectId("5f1"), "email" : "${john}", "n" : NumberLong(5) }\n`,
    },
    { what: "lines with an escaped at-sign", text: lines({ email: jane }, { email: john }).replaceAll("@", "\\u0040") },
    { what: "lines of arrays", text: lines([1, jane, "hunter2"], [2, john, "trap@example.com"]) },
    {
      what: "lines with a nested address",
      text: lines({ a: 1, profile: { email: jane }, ...secret }, { profile: { email: john } }),
    },
    {
      what: "answers on lines",
      text: lines({ ok: true, result: [{ email: jane }] }, { ok: true, result: [{ email: john }] }),
    },
    {
      what: "lines of Elasticsearch",
      text: lines({ _index: "u", _source: { email: jane } }, { _index: "u", _source: { email: john } }),
    },
    {
      what: "a bulk of Elasticsearch",
      text: lines(
        { index: { _index: "u", _id: "0" } },
        { email: jane },
        { index: { _index: "u", _id: "1" } },
        { email: john },
      ),
    },
    { what: "one array", text: JSON.stringify([{ email: jane, ...secret }, { email: john }]) },
    {
      what: "an array over lines",
      text: `[\n${JSON.stringify({ email: jane })},\n${JSON.stringify({ email: john })}\n]\n`,
    },
    { what: "an array over many lines", text: JSON.stringify([{ email: jane }, { email: john }], null, 2) },
    { what: "an array of addresses", text: JSON.stringify([jane, john]) },
    {
      what: "consecutive objects over several lines",
      text: [{ email: jane, ...secret }, { email: john }].map((one) => JSON.stringify(one, null, 2)).join("\n"),
    },
    { what: "an object by address", text: JSON.stringify({ [jane]: { pw: "hunter2" }, [john]: { pw: "x" } }) },
    { what: "an object of secrets by address", text: JSON.stringify({ [jane]: "hunter2", [john]: "x" }) },
    { what: "an object of lists by address", text: JSON.stringify({ [jane]: ["Zq7Hunter2"], [john]: ["Zq7"] }) },
    {
      what: "a wrapped array",
      text: JSON.stringify({ cursor: "", hits: 2, results: [{ email: jane, ...secret }, { email: john }] }),
    },
    {
      what: "arrays by name",
      text: JSON.stringify({ took: 1, results: { LEAK_2012: [{ email: jane, salt: "x" }], OTHER: [{ email: john }] } }),
    },
    {
      what: "edges of GraphQL",
      text: JSON.stringify({ data: { users: { edges: [{ node: { email: jane } }, { node: { email: john } }] } } }),
    },
    { what: "objects by id", text: JSON.stringify({ users: { a1: { email: jane, x: 1 }, b2: { email: john } } }) },
    {
      what: "an export of Keycloak",
      text: JSON.stringify(
        { realm: "corp", users: [{ username: "jdoe", email: jane, credentials: [{ value: "x" }] }, { email: john }] },
        null,
        2,
      ),
    },
    {
      what: "logins of stealers",
      text: JSON.stringify({
        message: "x",
        stealers: [
          {
            computer_name: "pc",
            credentials: [
              { url: "https://a.example", username: jane, password: "x" },
              { url: "https://b.example", username: john, password: "y" },
            ],
          },
        ],
      }),
    },
    {
      what: "rows of arrays",
      text: JSON.stringify({
        columns: ["id", "email"],
        data: [
          [1, jane],
          [2, john],
        ],
      }),
    },
    { what: "lists under a name", text: lines({ id: 1, emails: [jane] }, { id: 2, emails: [john] }) },
    {
      what: "values under a name",
      text: lines({ emails: [{ value: jane, type: "work" }] }, { email: { address: john } }),
    },
  ])("in $what", async ({ text }) => {
    expect((await read(text)).records).toEqual([jane, john]);
  });

  test("all addresses of a list under a name for addresses", async () => {
    expect((await read(lines({ email: [jane, john] }, { email: tom }))).records).toEqual([jane, john, tom]);
  });

  test("records without an address are counted only if other records have one", async () => {
    const text = JSON.stringify({
      meta: [{ a: 1 }, { b: 2 }],
      users: [{ email: jane }, { name: "x" }, { email: "" }, { email: "nobody" }],
    });
    expect((await read(text)).records).toEqual([jane, "invalid_email", "no_email", "no_email"]);
    expect((await read(lines({ email: jane }, { a: 1 }, { email: null }))).records).toEqual([
      jane,
      "no_email",
      "no_email",
    ]);
  });
});

describe("an address that may belong to another person or be a secret is only counted", () => {
  test.each([
    { record: { email: jane, password: tom }, further: 1 },
    { record: { email: jane, contacts: [{ email: tom }, { email: john }] }, further: 2 },
    { record: { email: jane, username: tom }, further: 1 },
    { record: { email: jane, username: jane }, further: 0 },
    { record: { manager_email: tom, employee_email: jane }, further: 1 },
    { record: { recovery_email: tom, login: "x", email: jane }, further: 1 },
    { record: { note: `write to ${tom}, or to ${john}`, email: jane }, further: 2 },
    { record: { passwort: tom, login: jane }, further: 1 },
    { record: { пароль: tom, почта: jane }, further: 1 },
    { record: { hint: tom, x: jane }, further: 1 },
    { record: { email: jane, nested: { token: tom } }, further: 1 },
    { record: { hashes: [tom, john], user: jane }, further: 2 },
    { record: { email: jane, [tom]: 1 }, further: 1 },
  ])("$record", async ({ record, further }) => {
    for (const text of [lines(record, { x: 1 }), JSON.stringify([record])]) {
      const told = await readTable("jsonl", text, { isNamed: true });
      expect(told.records.filter((one) => one !== "no_email")).toEqual([jane]);
      expect(told.further).toBe(further);
    }
  });

  test.each([{ password: tom }, { secret: { email: tom } }, { hash: [tom] }, { kennwort: { value: tom } }])(
    "%j gives no address",
    async (record) => {
      const told = await readTable("jsonl", lines(record, { email: jane }), { isNamed: true });
      expect(told).toEqual({ records: ["no_email", jane], further: 1, dropped: 0 });
    },
  );
});

describe("the fields kept of a record", () => {
  const evidence = {
    email: jane,
    category: "paste",
    severity: "HIGH",
    title: "A leak",
    subject: "shop.example",
    source_url: "https://shop.example/x",
    date: 2021,
  };
  const full = `${jane} severity=high category=paste subject=shop.example title=A leak sourceUrl=https://shop.example/x date=2021`;

  test.each([
    { what: "a line", text: lines(evidence, { x: 1 }) },
    { what: "an element", text: JSON.stringify([evidence]) },
    { what: "a wrapped element", text: JSON.stringify({ findings: [evidence] }) },
    { what: "the whole text", text: JSON.stringify(evidence, null, 2) },
  ])("everything of evidence, as $what", async ({ text }) => {
    expect((await readTable("jsonl", text, { isNamed: true })).records[0]).toBe(full);
  });

  test.each([
    { ...evidence, password: "x" },
    { email: jane, title: "A", subject: "b", date: 2021 },
    { node: evidence },
    { data: [evidence], more: 1 },
  ])("only the date of %j", async (record) => {
    for (const text of [lines(record, { x: 1 }), JSON.stringify([record, { x: 1 }])]) {
      expect((await readTable("jsonl", text, { isNamed: true })).records[0]).toBe(`${jane} date=2021`);
    }
  });

  test.each([
    [1617876672, "2021-04-08"],
    ["2021-04-08T10:11:12Z", "2021-04-08"],
    [{ $date: "2021-04-08T10:11:12Z" }, "2021-04-08"],
    [{ $date: { $numberLong: "1617876672000" } }, "2021-04-08"],
    ["08.04.2021", "2021-04-08"],
  ])("the date %j", async (date, day) => {
    expect((await readTable("jsonl", lines({ email: jane, date, x: 1 }, { a: 1 }))).records[0]).toBe(
      `${jane} date=${day}`,
    );
  });

  test("fields that are not text are counted, and nothing else is lost", async () => {
    const text = lines(
      { email: jane, severity: null, title: 5, subject: ["x"], date: true },
      { email: john, severity: "low", source_url: "javascript:x" },
    );
    expect(await readTable("jsonl", text)).toEqual({
      records: [`${jane} severity=low`, `${john} severity=low`],
      further: 0,
      dropped: 4,
    });
  });

  test("the fields named by the operator, of any record", async () => {
    const text = lines({ email: jane, Title: "A leak", pw: "hunter2" }, { email: john });
    expect((await readTable("jsonl", text, { wishes: { fields: ["title"] } })).records).toEqual([
      `${jane} title=A leak`,
      john,
    ]);
  });
});

describe("--column of JSON", () => {
  test("names the member", async () => {
    const text = lines({ email: jane, contact_id: john }, { email: jane, user: { contactId: tom } });
    expect((await readTable("jsonl", text, { wishes: { column: "Contact ID" } })).records).toEqual([john, tom]);
  });

  test("must not be a number", () => {
    const sample = sampleOf("a.jsonl", Buffer.from(lines({ email: jane })), true);
    expect(() => jsonl.plan(sample, { ...noWishes, column: "2" })).toThrow("--column wants the name of a member");
  });
});

describe("JSON that is broken", () => {
  test("loses only its line", async () => {
    const text = `${lines({ email: jane })}{"email":"${tom}"\nnull\n[]\n${lines({ email: john })}`;
    expect(await readTable("jsonl", text, { isNamed: true })).toEqual({
      records: [jane, "malformed", "malformed", "malformed", john],
      further: 1,
      dropped: 0,
    });
  });

  test("loses only the element, and the end of a truncated text", async () => {
    const text = `{"a":1,"results":[{"email":"${jane}"},{"email":"${john}"},{email:"${tom}"},{"email":"${tom}"`;
    const told = await readTable("jsonl", text, { isNamed: true });
    expect(told.records).toEqual([jane, john, "malformed", "malformed", tom]);
    expect(told.further).toBe(1);
  });
});

describe("large JSON", () => {
  const filler = "x".repeat(90_000);

  test("lines of 100 KB are read, and lines over a megabyte counted as too long", async () => {
    const text = lines(
      { email: jane },
      { email: john, avatar: filler },
      { email: tom, avatar: `${filler.repeat(11)}${"x".repeat(20_000)}` },
      { email: john },
    );
    expect(await readTable("jsonl", text, { isNamed: true })).toEqual({
      records: [jane, john, "too_long", john],
      further: 1,
      dropped: 0,
    });
  });

  test("a first line longer than the sample is recognised by its beginning", async () => {
    const text = lines({ email: jane, avatar: filler }, { email: john });
    expect(detectedFormat(text, "users.jsonl")).toBe("jsonl");
    expect((await readTable("jsonl", text)).records).toEqual([jane, john]);
  });

  const many = Array.from({ length: 40_000 }, (_, id) => ({
    id,
    email: `user${id}@example.com`,
    password: "hunter2",
    tags: ["a"],
    note: "x".repeat(40),
  }));
  const expected = many.map(({ email }) => email);

  test.each([
    { what: "array on one line", text: JSON.stringify(many) },
    { what: "array over lines", text: JSON.stringify(many, null, 1) },
    { what: "answer", text: JSON.stringify({ took: 1, data: { users: many }, total: 40_000 }) },
    {
      what: "object by id",
      text: JSON.stringify({ users: Object.fromEntries(many.map((one) => [`u${one.id}`, one])) }),
    },
    {
      what: "object by address",
      text: JSON.stringify(Object.fromEntries(many.map(({ email, ...one }) => [email, one]))),
    },
    { what: "list of addresses", text: JSON.stringify({ emails: expected.concat(expected.map((one) => `x${one}`)) }) },
    { what: "row of objects over lines", text: many.map((one) => JSON.stringify(one, null, 2)).join("\n") },
  ])("megabytes of JSON are read like a small text: $what", async ({ text, what }) => {
    expect(text.length).toBeGreaterThan(1 << 20);
    const { records } = await readTable("jsonl", text);
    const all = what === "list of addresses" ? expected.concat(expected.map((one) => `x${one}`)) : expected;
    expect(records).toEqual(all);
  });

  test("a text that is too long is skipped", async () => {
    const text = JSON.stringify({
      blob: filler.repeat(30),
      users: [{ email: jane }, { email: john, blob: filler.repeat(30) }, { email: tom }],
    });
    const { records } = await readTable("jsonl", text, { isNamed: true });
    expect(records).toEqual(expect.arrayContaining([jane, john, tom, "too_long"]));
    expect(records).toHaveLength(5);
  });
});

describe("other JSON is not mistaken for records", () => {
  test.each([
    {
      what: "lines of Python",
      name: "a.txt",
      text: `{'email': '${jane}', 'password': 'x'}\n{'email': '${john}', 'password': 'y'}\n`,
    },
    { what: "hits with a mark", name: "a.txt", text: `[HIT] ${jane}:hunter2\n[HIT] ${john}:hunter3\n` },
    {
      what: "a log with times in brackets",
      name: "a.log",
      text: `[2024-01-01 10:00:00] sent to ${jane}\n[2024-01-01 10:00:01] sent to ${john}\n`,
    },
    {
      what: "settings without an address",
      name: "package.json",
      text: JSON.stringify({ name: "x", dependencies: { a: "1" } }),
    },
    {
      what: "an answer about a domain",
      name: "example.com.json",
      text: JSON.stringify({ "jane.doe": ["Adobe"], "john.roe": ["LinkedIn"] }),
    },
    { what: "a combo in braces", name: "a.txt", text: `{${jane}:hunter2}\n{${john}:hunter3}\n` },
    { what: "a table", name: "a.json", text: `id,email\n1,${jane}\n` },
    { what: "a set of tuples", name: "a.txt", text: `[('${jane}', 'hunter2'),\n('${john}', 'x')]\n` },
  ])("$what", ({ name, text }) => {
    expect(detectedFormat(text, name)).not.toBe("jsonl");
  });

  test("the file name is enough when the beginning has no address", () => {
    expect(detectedFormat('{"x":1}\n', "a.jsonl")).toBe("jsonl");
    expect(detectedFormat('{"x":1}\n{"x":2}\n', "a.ndjson")).toBe("jsonl");
  });
});
