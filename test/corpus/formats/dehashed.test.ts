import { describe, expect, test } from "vitest";
import { openDesk } from "../../helpers/corpus-desk.ts";
import { readTable } from "../../helpers/read-table.ts";
import { detectedFormat } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const john = "john@example.org";
const header = "id,email,ip_address,username,password,hashed_password,name,vin,address,phone,database_name";

test("exports of DeHashed as CSV, with several addresses in a cell and stray backslashes", async () => {
  const text = `${header}
1,${jane},,,pw,,,,,,ExampleShop
2,"${jane}, ${john}",,,pw,,,,,,Other
3,john\\@example.org,,,,,,,,,
4,,,,pw,,,,,,Other
`;
  expect(await readTable("dehashed", text)).toEqual({
    records: [`${jane} subject=ExampleShop`, `${jane} subject=Other`, `${john} subject=Other`, john, "no_email"],
    further: 0,
    dropped: 0,
  });
});

describe("exports of DeHashed as JSON", () => {
  const entries = [
    { id: "1", email: [jane, john], password: ["pw"], database_name: "ExampleShop" },
    { id: "2", username: ["x"], database_name: "Other" },
    { id: "3", email: john, database_name: null },
    { id: "4", email: [5] },
    { id: "5", email: ["jane.doe\\@example.com"], database_name: "Collection #1" },
  ];
  const expected = [
    `${jane} subject=ExampleShop`,
    `${john} subject=ExampleShop`,
    john,
    `${jane} subject=Collection #1`,
  ];

  test.each([
    { what: "the answer of the API", text: JSON.stringify({ balance: 5, entries, took: "1ms", total: 4 }) },
    { what: "the answer over lines", text: JSON.stringify({ balance: 5, entries, total: 4 }, null, 4) },
    { what: "the entries alone", text: JSON.stringify(entries) },
    { what: "an entry on each line", text: entries.map((entry) => JSON.stringify(entry)).join("\n") },
  ])("as $what", async ({ text }) => {
    const { records } = await readTable("dehashed", text);
    expect(records.filter((record) => record !== "no_email")).toEqual(expected);
    expect(records).toHaveLength(6);
  });
});

test("a leak name that may be any other text is dropped, and the record is imported", async () => {
  const names = [
    "of tom@example.com",
    "x".repeat(256),
    "hunter2",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "https://shop.example/Zq7path",
    "password: hunter",
    "+1 555 0100",
    "192.0.2.1",
    "Ashley Madison",
    "jane's password is hunter",
    "{SSHA}RkTXOnRbGuhJzpXPyYrLcg==",
  ];
  const rows = names.map((name) => `1,${jane},,,,,,,,,"${name}"`).join("\n");
  const { records, dropped } = await readTable("dehashed", `${header}\n${rows}\n`);
  expect(records).toEqual(names.map(() => jane));
  expect(dropped).toBe(names.length);
});

test.each([
  "ExampleShop",
  "Example Shop",
  "Collection #1",
  "Exploit.In",
  "000webhost",
  "123RF.com",
  "shop.example",
  "Anti Public Combo List",
  "LinkedIn 2016",
])("the name %s is a leak name", async (name) => {
  const { records } = await readTable("dehashed", `${header}\n1,${jane},,,,,,,,,${name}\n`);
  expect(records).toEqual([`${jane} subject=${name}`]);
});

test("the leak name of a shifted row is dropped", async () => {
  const { records, dropped } = await readTable(
    "dehashed",
    `${header}\n1,${jane},,,,,Doe, Jane,,,,Shop\n2,${john},,,,,,,,,Shop\n`,
  );
  expect(records).toEqual([jane, `${john} subject=Shop`]);
  expect(dropped).toBe(1);
});

test("the database is named in the title", async () => {
  const desk = openDesk();
  await desk.importText(`id,email,hashed_password,database_name\n1,${jane},x,Adobe\n2,${john},x,\n`);
  expect(await desk.lookup(jane)).toMatchObject([{ title: "Present in Adobe", subjects: ["adobe.com"] }]);
  expect(await desk.lookup(john)).toMatchObject([{ title: "Present in shop", subjects: ["shop"] }]);
  expect(desk.corpora.get("shop")).toMatchObject({ confidence: 0.75, origin: "dehashed" });
});

describe("other exports are not mistaken for DeHashed", () => {
  test.each([
    { of: "LeakCheck", text: JSON.stringify({ success: true, result: [{ email: jane, source: { name: "Shop" } }] }) },
    { of: "Snusbase", text: JSON.stringify({ results: { SHOP_2012: [{ email: jane, hash: "x" }] } }) },
    { of: "SpyCloud", text: `breach_title,email,username,password,severity\nShop,${jane},x,y,20\n` },
    {
      of: "a wordy tool",
      text: `Leak ID,Domain,Email,Username,Password,Breach,Description\n1,example.com,${jane},x,y,Shop,z\n`,
    },
    { of: "a program with entries", text: JSON.stringify({ entries: [{ email: jane }] }) },
    { of: "a program with databases", text: `email,database_name\n${jane},users\n` },
  ])("of $of", ({ text }) => {
    expect(detectedFormat(text, "export.json")).not.toBe("dehashed");
  });
});
