import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { CorpusError } from "../../../src/corpus/error.ts";
import { openDesk } from "../../helpers/corpus-desk.ts";
import { readTable } from "../../helpers/read-table.ts";
import { detectedFormat } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const fileName = "example.com.json";
const adobe = "subject=Adobe sourceUrl=https://haveibeenpwned.com/Breach/Adobe";

const read = (text: string, options: Parameters<typeof readTable>[2] = {}) =>
  readTable("hibp-domain", text, { fileName, ...options });

describe("an answer about a domain", () => {
  test("gives a record for each address in a leak of the catalogue", async () => {
    const map = {
      "jane.doe": ["Reverb-Nation", "Adobe"],
      "tom.elm": ["Xbox-Scene"],
      "info+tag": ["000webhost", "2844Breaches"],
      none: [],
    };
    const told = await read(JSON.stringify(map));
    expect(told).toMatchObject({ further: 0, dropped: 0 });
    expect(told.records.map((record) => record.split(" ").slice(0, 2).join(" "))).toEqual([
      `${jane} subject=Reverb-Nation`,
      `${jane} subject=Adobe`,
      "tom.elm@example.com subject=Xbox-Scene",
      "info+tag@example.com subject=000webhost",
      "info+tag@example.com subject=2844Breaches",
    ]);
    expect(await read(JSON.stringify(map, null, 2))).toEqual(told);
  });

  test("accepts leak names of the operator's catalogue", async () => {
    const wishes = { leakNames: new Set(["Example5hop"]) };
    expect((await read(`{"jane.doe":["Example5hop","Adobe"]}`, { wishes })).records).toEqual([
      `${jane} subject=Example5hop sourceUrl=https://haveibeenpwned.com/Breach/Example5hop`,
      `${jane} ${adobe}`,
    ]);
  });

  test("drops an unknown name, even if it looks like a catalogue name", async () => {
    expect(await read(`{"jane.doe":["ExampleShop","Other"],"john":["ExampleShop"]}`)).toEqual({
      records: [jane, jane, "john@example.com"],
      further: 0,
      dropped: 3,
    });
  });

  test("keeps such a name when the operator names the format", async () => {
    const { records } = await read(`{"jane.doe":["ExampleShop","Zq7hunter2"],"x":["Adobe","LinkedIn","Chess"]}`, {
      isNamed: true,
    });
    expect(records[0]).toBe(`${jane} subject=ExampleShop sourceUrl=https://haveibeenpwned.com/Breach/ExampleShop`);
    expect(records[1]).toBe(jane);
  });

  test("does not reveal accounts at sensitive sites", async () => {
    expect((await read(`{"jane.doe":["AshleyMadison","Adobe"]}`)).records).toEqual([jane, `${jane} ${adobe}`]);
    expect((await read(`{"jane.doe":["www.pornhub.com","shop.example.com"]}`)).records).toEqual([
      `${jane} category=infostealer severity=high subject=any-infostealer title=In infostealer logs`,
      `${jane} category=infostealer severity=high subject=shop.example.com title=In infostealer logs for shop.example.com`,
    ]);
  });

  test("takes the domain from the name of a compressed file as well", async () => {
    const desk = openDesk();
    const report = await desk.importText(gzipSync(`{"jane.doe":["Adobe","LinkedIn"]}`), {}, "Example.com.json.gz");
    expect(report).toMatchObject({ read: 2, imported: 2 });
    expect(await desk.lookup(jane)).toHaveLength(2);
  });

  test("of megabytes is read like a small one", async () => {
    const map = Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`user${index}`, ["Adobe"]]));
    const { records } = await read(JSON.stringify(map));
    expect(records).toEqual(Object.keys(map).map((local) => `${local}@example.com ${adobe}`));
  });
});

describe("stealer logs of a domain", () => {
  test("name sites if the host can be a site", async () => {
    const text = JSON.stringify({
      "jane.doe": ["portal.example", "shop.example.com"],
      john: ["x.invalid", "mail.example.org"],
    });
    const { records, dropped } = await read(text);
    expect(records).toEqual([
      `${jane} category=infostealer severity=high subject=any-infostealer title=In infostealer logs`,
      `${jane} category=infostealer severity=high subject=shop.example.com title=In infostealer logs for shop.example.com`,
      "john@example.com category=infostealer severity=high subject=any-infostealer title=In infostealer logs",
      "john@example.com category=infostealer severity=high subject=mail.example.org title=In infostealer logs for mail.example.org",
    ]);
    expect(dropped).toBe(2);
  });
});

describe("the dashboard", () => {
  const text = JSON.stringify({
    BreachSearchResults: [
      {
        Alias: "jane.doe",
        DomainName: "example.com",
        Breaches: [
          { Name: "Adobe", Title: "Hunter2", Domain: "hunter.example", BreachDate: "2013-10-04" },
          { Name: "Zq7hunter2", Title: "x", BreachDate: "2020" },
          { Name: "Collection1", IsSpamList: true, BreachDate: "soon" },
        ],
      },
      { Alias: 5 },
    ],
    PasteSearchResults: [
      {
        Alias: "john",
        DomainName: "example.org",
        Pastes: [{ Source: "Pastebin", Id: "hunter2", Date: "2014-03-04T19:14:54Z" }, { Source: "Zq7" }],
      },
    ],
  });

  test("gives breaches and pastes, and of their text only known names and dates", async () => {
    expect((await read(text, { fileName: "pwned.json" })).records).toEqual([
      `${jane} date=2013-10-04 subject=Adobe title=Present in the Adobe 2013 breach sourceUrl=https://haveibeenpwned.com/Breach/Adobe`,
      `${jane} date=2020`,
      `${jane} category=spam_list severity=low subject=Collection1 sourceUrl=https://haveibeenpwned.com/Breach/Collection1`,
      "malformed",
      "john@example.org date=2014-03-04 category=paste subject=any-paste title=Present in a paste on Pastebin",
      "john@example.org category=paste subject=any-paste title=Present in a paste",
    ]);
  });

  test("as a table", async () => {
    const table = `Alias,Domain,Breach\njane.doe,example.com,Adobe\n,example.com,LinkedIn\njohn,example.org,\n`;
    expect((await read(table, { fileName: "a.csv" })).records).toEqual([`${jane} ${adobe}`, "no_email", "malformed"]);
    const cells = `Email,Domain,Breaches\n${jane},example.com,"Adobe, ExampleShop"\n`;
    expect((await read(cells, { fileName: "a.csv" })).records).toEqual([`${jane} ${adobe}`, jane]);
    const local = "Alias,Breach\njane.doe,Adobe\n";
    expect((await read(local, { fileName: "example.com.csv" })).records).toEqual([`${jane} ${adobe}`]);
  });
});

test("sets title and severity by the kind of leak", async () => {
  const desk = openDesk();
  await desk.importText(`{"jane.doe":["LinkedIn","portal.example.com","ExampleShop"]}`, {}, fileName);
  expect(await desk.lookup(jane)).toMatchObject([
    {
      category: "infostealer",
      severity: "high",
      title: "In infostealer logs for portal.example.com",
      subjects: ["portal.example.com"],
    },
    { category: "breach", severity: "medium", title: "Present in shop", subjects: ["shop"] },
    {
      category: "breach",
      title: "Present in the LinkedIn breach",
      subjects: ["linkedin.com"],
      sourceUrl: "https://haveibeenpwned.com/Breach/LinkedIn",
    },
  ]);
  expect(desk.corpora.get("shop")).toMatchObject({ confidence: 0.95, origin: "hibp" });
});

describe("values that may be secrets", () => {
  test.each([
    `{"jane.doe":["hunter2"]}`,
    `{"jane.doe":["Zq7Hunter2"],"tom.elm":["Zq7Summer"]}`,
    `{"jane.doe":["Zq7hunter2"],"tom.elm":["Zq7summer19","Zq7winter20"]}`,
    `{"jane.doe":["correct","horse"]}`,
    `{"jane.doe":["Zq7.word"],"tom.elm":["hunter.zq7"]}`,
    `{"jane.doe":["Adobe"],"b.c":["hunter"],"d.e":["dragon"],"f.g":["monkey"]}`,
  ])("are refused with a message that says what is expected: %s", async (text) => {
    for (const isNamed of [false, true]) {
      const failure = read(text, { isNamed });
      await expect(failure).rejects.toThrow(CorpusError);
      await expect(failure).rejects.toThrow(/not leak names of the breach catalogue.*--format/);
      await expect(failure).rejects.not.toThrow(/hunter|zq7/i);
    }
  });

  test("after a full address are not read, whatever the operator says", async () => {
    const told = await read(`{"${jane}":["Adobe"],"john":["Adobe"]}`, { isNamed: true });
    expect(told.records).toEqual(["malformed", `john@example.com ${adobe}`]);
    expect(told.further).toBe(1);
  });
});

test("a file that is not named after the domain of its local parts is refused", async () => {
  for (const name of ["pwned.json", "export.json", "-"]) {
    await expect(read(`{"jane.doe":["Adobe"]}`, { fileName: name })).rejects.toThrow("name it after their domain");
  }
  await expect(read("Alias,Breach\njane.doe,Adobe\n", { fileName: "a.csv" })).rejects.toThrow(
    "name it after their domain",
  );
});

test("values of another shape are counted, and the rest is read", async () => {
  const text = `{"a":"x","b":[5],"c":[{"d":["]"]}],"jane.doe":["Adobe"],"f":[["LinkedIn"]]}`;
  expect((await read(text, { isNamed: true })).records).toEqual([
    "malformed",
    "malformed",
    "malformed",
    `${jane} ${adobe}`,
    "malformed",
  ]);
});

describe("other texts are not mistaken for HIBP", () => {
  test.each([
    { what: "lists of secrets by address", name: "pwndb.json", text: JSON.stringify({ [jane]: ["Zq7Hunter2"] }) },
    { what: "settings", name: "tsconfig.json", text: JSON.stringify({ files: ["a.ts"], exclude: ["node_modules"] }) },
    { what: "records with lists", name: "a.json", text: JSON.stringify({ emails: [jane], roles: ["Admin"] }) },
    {
      what: "a table of another service",
      name: "a.csv",
      text: `Leak ID,Domain,Email,Username,Password,Breach\n1,example.com,${jane},x,hunter2,Shop\n`,
    },
    {
      what: "a table with other breaches",
      name: "a.csv",
      text: `email,breach\n${jane},hunter2\njohn@example.org,dragon5\n`,
    },
    {
      what: "an answer of another service",
      name: "r.json",
      text: JSON.stringify({ breaches: [["Adobe", "LinkedIn"]], email: jane, status: "success" }),
    },
  ])("$what", ({ name, text }) => {
    expect(detectedFormat(text, name)).not.toBe("hibp-domain");
  });
});
