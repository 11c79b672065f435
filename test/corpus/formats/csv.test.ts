import { describe, expect, test } from "vitest";
import { CorpusError } from "../../../src/corpus/error.ts";
import { csv } from "../../../src/corpus/formats/csv.ts";
import type { OptionalField } from "../../../src/corpus/formats/format.ts";
import { sampleOf } from "../../../src/corpus/formats/sample.ts";
import { noWishes } from "../../helpers/read-format.ts";
import { readTable } from "../../helpers/read-table.ts";
import { detectedFormat } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const john = "john.roe@example.org";
const ada = "ada.pine@example.net";

async function addressesOf(text: string | Buffer, fileName = "users.csv"): Promise<readonly string[]> {
  expect(detectedFormat(text, fileName)).toBe("csv");
  return (await readTable("csv", text, { fileName })).records;
}

describe("the address column is found", () => {
  test.each([
    "correo",
    "Correo electrónico",
    "E-Mail-Adresse",
    "email_address",
    "mail",
    "login",
    "emailAddress",
    "Primary Email",
    "emails",
    "メールアドレス",
    "Work Email",
    "E-mail 1 - Value",
    "Электронная почта",
    "customer.email",
    "e.mail",
    "البريد الإلكتروني",
    "User Principal Name",
    "邮箱",
    "Zzyzx",
  ])("under the name %s", async (name) => {
    const text = `id,${name},password,name\n0,${jane},hunter2,Jane\n1,${john},hunter3,John\n`;
    expect(await addressesOf(text)).toEqual([jane, john]);
  });

  test.each([
    { what: "without a header", text: `0,${jane},pw,Jane Doe\n1,${john},pw,John\n` },
    {
      what: "after a title and notes",
      text: `Notes:\n"Some, may be missing."\n\nName,Mail,Town\nJ,${jane},X\nR,${john},Y\n`,
    },
    {
      what: "after comments",
      text: `# Export 2024-06-01\n# internal\nID,User Principal Name,X\n1,${jane},\n2,${john},\n`,
    },
    { what: "after a separator line of Excel", text: `sep=;\nid;Email;x\n0;${jane};a,b,c\n1;${john};d\n` },
    { what: "between pipes", text: `id|email|x\n0|${jane}|a,b\n1|${john}|c\n` },
    {
      what: "in a drawn table",
      text: `+----+-------+\n| id | email |\n+----+-------+\n| 1 | ${jane} |\n| 2 | ${john} |\n+----+-------+\n`,
    },
    { what: "of psql", text: ` id | email | x\n----+-------+---\n 1 | ${jane} | a\n 2 | ${john} | b\n` },
    { what: "with other separators in cells", text: `id,name;title,email\n1,Doe;Ms,${jane}\n2,Roe;Mr,${john}\n` },
    { what: "in quotes", text: `"ID","E-Mail"\n"0","${jane}"\n"1","${john}"\n` },
    {
      what: "in the encoding of old Windows programs",
      text: Buffer.from(`Name;E-Mail;Straße\nJörg;${jane};Große Gasse\nJürg;${john};x\n`, "latin1"),
    },
    {
      what: "with line ends in cells",
      text: `id,bio,email\n0,"line one\ntom@example.com two, ""q""",${jane}\n1,"x\r\ny",${john}\n`,
    },
    {
      what: "with the quotes of MySQL",
      text: `"id","name","email"\n"1","Jane \\"JD\\" Doe","${jane}"\n"2","O\\"Roe, John","${john}"\n`,
    },
    { what: "with unescaped quotes", text: `id,name,email\n1,"Jane "JD" Doe",${jane}\n2,x,${john}\n` },
    { what: "in rows that are too short or too long", text: `id,email,x\n1,${jane}\n2,${john},,1,2,3,4\n` },
    {
      what: "in rows whose cells are shifted",
      text: `id,name,email,city\n1,Jane Doe,${jane},Leeds\n2,Roe, John, Dr.,${john},London\n`,
    },
    {
      what: "with mostly empty cells",
      text: `x;Prénom;Adresse e-mail;mail\nDoe;Jane;${jane};\nRoe;John;${john};\n`,
    },
    { what: "with a repeated header", text: `id,email,x\n1,${jane},\nid,email,x\n2,${john},\n` },
    { what: "with NULL in every other cell", text: `a,email,b\n\\N,${jane},\\N\nNULL,${john},n/a\n` },
  ])("$what", async ({ text }) => {
    expect(await addressesOf(text)).toEqual([jane, john]);
  });

  test("by its content when the named column is empty", async () => {
    const text = `email,alt_mail,pw\n-,${jane},x\n\\N,${john},y\nNULL,${ada},z\n`;
    expect(await addressesOf(text)).toEqual([jane, john, ada]);
  });

  test.each([
    { header: "email,email2,x", rows: [`${jane},a@example.com,`, `${john},b@example.com,`] },
    { header: "manager_email,employee_email,x", rows: [`boss@example.com,${jane},`, `boss@example.com,${john},`] },
  ])("of two with addresses, in $header, and the other is counted", async ({ header, rows }) => {
    const { records, further } = await readTable("csv", `${header}\n${rows.join("\n")}\n`, { fileName: "a.csv" });
    expect(records).toEqual([jane, john]);
    expect(further).toBe(2);
  });

  test("never under a name for secrets", async () => {
    const text = `id,password,hint\n1,${jane},a@example.com\n2,${john},b@example.com\n`;
    expect(csv.recognises(sampleOf("a.csv", Buffer.from(text), true), noWishes)).toBeNull();
    const named = `email,password,x\n${jane},trap@example.com,\n,other@example.com,\n`;
    expect(await readTable("csv", named)).toEqual({ records: [jane, "no_email"], further: 2, dropped: 0 });
  });
});

describe("a cell of addresses", () => {
  test.each([
    [`"Doe, Jane <${jane}>"`, [jane]],
    [`mailto:${jane}`, [jane]],
    [`mailto:${jane}?subject=x`, [jane]],
    [`"${jane}; ${john}"`, [jane, john]],
    [`"${jane},${john},${jane}"`, [jane, john]],
    [` ${jane.toUpperCase()} `, [jane]],
    [`<${jane}>`, [jane]],
    ["", ["no_email"]],
    ["NULL", ["no_email"]],
    ["\\N", ["no_email"]],
    ["n/a", ["no_email"]],
    ["-", ["no_email"]],
    ["none", ["no_email"]],
    ["jane.doe", ["invalid_email"]],
    [`${jane}.`, ["invalid_email"]],
    ["a@b@example.com", ["invalid_email"]],
  ])("%s", async (cell, expected) => {
    const text = `id,email,x\n0,${ada},\n1,${cell},\n`;
    expect((await readTable("csv", text)).records).toEqual([ada, ...expected]);
  });

  test("with a user name is not an invalid address", async () => {
    const text = `name,url,username,password\nx,https://a.example/,nick,pw\n`;
    expect((await readTable("csv", text, { isNamed: true, wishes: { column: "username" } })).records).toEqual([
      "no_email",
    ]);
  });
});

describe("an unclosed quote costs little", () => {
  test.each([
    { what: "at the end of the text", text: `id,name,email\n1,"bad,${jane}\n2,ok,${john}\n3,x,${ada}\n` },
    { what: "before other quotes", text: `id,name,email\n1,"bad,${jane}\n2,"ok",${john}\n3,"x",${ada}\n` },
  ])("$what", async ({ text }) => {
    expect(await readTable("csv", text)).toEqual({ records: ["malformed", john, ada], further: 1, dropped: 0 });
  });
});

describe("evidence and other tables", () => {
  const rest = `${jane},breach,low,Shop breach,shop.example,https://shop.example/x,2021-04-08`;
  const all = "email,category,severity,title,subject,source_url,date";

  test("a table with only the seven columns, including severity or source_url, is imported in full", async () => {
    expect((await readTable("csv", `${all}\n${rest}\n`)).records).toEqual([
      `${jane} severity=low category=breach subject=shop.example title=Shop breach sourceUrl=https://shop.example/x date=2021-04-08`,
    ]);
    expect((await readTable("csv", `E-Mail;Source URL;\n${jane};https://shop.example/x;\n`)).records).toEqual([
      `${jane} sourceUrl=https://shop.example/x`,
    ]);
  });

  test.each([
    { header: `${all},password`, row: `${rest},hunter2` },
    { header: "email,subject,date", row: `${jane},My password is hunter,2021-04-08` },
    { header: "email,title,subject,category,date", row: `${jane},a,b,c,2021-04-08` },
    { header: "ticket,email,subject,severity,date", row: `1,${jane},hunter2,low,2021-04-08` },
    { header: "Ms,email,severity,date,,x", row: `a,${jane},low,2021-04-08,,` },
  ])("$header is not evidence: only the address and the date are imported", async ({ header, row }) => {
    const { records } = await readTable("csv", `${header}\n${row}\n`);
    expect(records).toEqual([`${jane} date=2021-04-08`]);
  });

  test("the operator can import fields of any table by name", async () => {
    const fields: OptionalField[] = ["title", "subject"];
    const text = `id,email,subject,title,category\n1,${jane},Example Shop,A leak,x\n`;
    expect((await readTable("csv", text, { wishes: { fields } })).records).toEqual([
      `${jane} subject=Example Shop title=A leak`,
    ]);
  });

  test("an unusable field is dropped and counted", async () => {
    const text = `email,severity,date,category\n${jane},20,Unknown,!!!\n${john},Critical,01/02/2024,paste\n`;
    expect(await readTable("csv", text)).toEqual({
      records: [`${jane} severity=low`, `${john} severity=high category=paste`],
      further: 0,
      dropped: 3,
    });
  });

  test("text that may contain an address, a secret or a sensitive site is dropped, even from evidence", async () => {
    const texts = [
      "of tom@example.com",
      "My password is hunter",
      "login Zq7x broken",
      "Ashley Madison",
      "x".repeat(256),
    ];
    const rows = texts.map((text) => `${jane},low,"${text}","${text}"`).join("\n");
    const { records, dropped } = await readTable("csv", `email,severity,title,subject\n${rows}\n`);
    expect(records).toEqual(texts.map(() => `${jane} severity=low`));
    expect(dropped).toBe(texts.length * 2);
  });

  test("no field is taken from a row with more cells than columns", async () => {
    const text = `email,severity,title\n${jane},low,Hello, tom\n${john},low,B\n`;
    expect(await readTable("csv", text)).toEqual({
      records: [jane, `${john} severity=low title=B`],
      further: 0,
      dropped: 2,
    });
  });
});

test.each([
  ["2021-04-08T10:11:12Z", "2021-04-08"],
  ["2021-04-08 10:11", "2021-04-08"],
  ["1617876672", "2021-04-08"],
  ["1617876672000", "2021-04-08"],
  ["1617876672 10:11", null],
  ["08.04.2021 10:11", "2021-04-08"],
  ["2021", "2021"],
  ["-", null],
  ["", null],
])("the date %j is the same from the bytes of a row and from its text", async (date, day) => {
  const expected = day === null ? jane : `${jane} date=${day}`;
  // A second address forces the row to be read as text.
  const text = `email,date,x\n${jane},${date},\n${jane},${date},"${john}"\n`;
  const { records } = await readTable("csv", text);
  expect(records).toEqual([expected, expected]);
});

describe("tables of logins", () => {
  const site = `${jane} subject=portal.example (ulp)`;
  test.each([
    { of: "Chrome", text: `name,url,username,password,note\nx,https://portal.example/login,${jane},hunter2,\n` },
    {
      of: "Firefox",
      text: `"url","username","password","httpRealm","formActionOrigin","guid","timeCreated"\n"https://portal.example/login","${jane}","hunter2",,"https://portal.example","{a0}","1700000000000"\n`,
    },
    { of: "Safari", text: `Title,URL,Username,Password,Notes,OTPAuth\nx,https://portal.example/,${jane},hunter2,,\n` },
    {
      of: "Bitwarden",
      text: `folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp\n,,login,x,note,,0,"https://portal.example/,https://x.example/",${jane},hunter2,\n`,
    },
    {
      of: "1Password",
      text: `Title,Website,Username,Password,OTPAuth,Favorite,Archived,Tags,Notes\nx,https://portal.example/,${jane},hunter2,,,,,\n`,
    },
    {
      of: "Dashlane",
      text: `username,username2,username3,title,password,note,url,category,otpSecret\n${jane},,,x,hunter2,,https://portal.example/,,\n`,
    },
    {
      of: "LastPass",
      text: `url,username,password,totp,extra,name,grouping,fav\nhttps://portal.example/,${jane},hunter2,,,x,,0\n`,
    },
    {
      of: "KeePass",
      text: `"Account","Login Name","Password","Web Site","Comments"\n"x","${jane}","hunter2","https://portal.example/",""\n`,
    },
    {
      of: "Chrome's database",
      text: `origin_url,username_value,password_value\nhttps://portal.example/,${jane},hunter2\n`,
    },
    {
      of: "stealers",
      text: `Url,Username,Password,Application\nhttps://portal.example/login,${jane},hunter2,Chrome\n`,
    },
    { of: "stealers, with TAB", text: `url\tlogin\tpassword\nhttps://portal.example/\t${jane}\thunter2\n` },
  ])("of $of name the site", async ({ text }) => {
    expect((await readTable("csv", text, { fileName: "a.csv" })).records).toEqual([site]);
  });

  test("a row without a secret or a site is not a login", async () => {
    const text = `url,username,password\nhttps://a.example/,${jane},\n,${john},hunter2\nhttps://a.example/,${ada},hunter2\n`;
    expect((await readTable("csv", text)).records).toEqual([jane, john, `${ada} subject=a.example (ulp)`]);
  });

  test("sensitive sites and hosts that are not sites are not named", async () => {
    const text = `url,username,password\nhttps://www.pornhub.com/,${jane},pw\nhttp://192.0.2.1/,${john},pw\n`;
    expect((await readTable("csv", text)).records).toEqual([`${jane} (ulp)`, `${john} (ulp)`]);
  });

  test.each([
    {
      of: "people with homepages",
      text: `id,username,email,password,url,city\n1,j,${jane},hunter2,https://jane.example/,X\n`,
    },
    {
      of: "users with hashes",
      text: `id,email,password,url\n1,${jane},5f4dcc3b5aa765d61d8327deb882cf99,https://jane.example/\n`,
    },
    {
      of: "WordPress",
      text: `ID,user_login,user_pass,user_email,user_url\n1,j,$P$B55D6LjfHDkINU5wF.v2BuuzO0/XPk/,${jane},https://jane.example/\n`,
    },
    { of: "addresses and profiles", text: `email,name,url\n${jane},Jane,https://jane.example/\n` },
  ])("tables of $of are not tables of logins", async ({ text }) => {
    expect((await readTable("csv", text)).records).toEqual([jane]);
  });
});

describe("--column", () => {
  const text = `id,name,Second Mail,email\n1,Jane,${john},${jane}\n`;
  const read = (column: string, of = text) => readTable("csv", of, { isNamed: true, wishes: { column } });

  test.each(["Second Mail", "second mail", "second_mail", "3"])("%s", async (column) => {
    expect(await read(column)).toEqual({ records: [john], further: 1, dropped: 0 });
  });

  test("may name a column that is named like a secret", async () => {
    expect((await read("token", `token,x\n${jane},\n`)).records).toEqual([jane]);
  });

  test("with an unknown column is refused with the names of the columns", async () => {
    await expect(read("mail address 2")).rejects.toThrow("its columns are id, name, Second Mail, email");
    await expect(read("9")).rejects.toThrow("there is no column 9: the table has 4 columns");
  });

  test("quotes no data of a table without a header", async () => {
    const failure = read("email", `Jane Hunter,pw,${jane}\nJohn Roe,pw,${john}\n`);
    await expect(failure).rejects.toThrow("the table has no header; give the number of the column, 1 to 3");
    await expect(failure).rejects.not.toThrow("Hunter");
  });
});

test("a table without addresses is refused with its columns, and no row is quoted", () => {
  const plan = (text: string) => csv.plan(sampleOf("a.csv", Buffer.from(text), true), noWishes);
  expect(() => plan("id,name,phone\n1,Hunter,2\n")).toThrow("no column of the table holds email addresses");
  expect(() => plan("id,name,phone\n1,Hunter,2\n")).toThrow("id, name, phone");
  expect(() => plan("1,Hunter2,x\n2,Hunter3,y\n")).toThrow(CorpusError);
  expect(() => plan("1,Hunter2,x\n2,Hunter3,y\n")).not.toThrow("Hunter");
});

test("a dry run names the imported columns, but no name that may be data", () => {
  const columns = (text: string) => csv.plan(sampleOf("a.csv", Buffer.from(text), true), noWishes).columns;
  expect(columns(`id,E-Mail,date\n1,${jane},2021\n`)).toEqual(["E-Mail", "date"]);
  expect(columns(`1,${jane},x\n2,${john},y\n`)).toEqual(["column 2"]);
  expect(columns(`email,Zq7hunter2\n,${jane}\n,${john}\n`)).toEqual(["column 2"]);
});

describe("other texts are not mistaken for a table", () => {
  test.each([
    { what: "a combo named .csv", name: "a.csv", text: `${jane}:hunter2\n${john}:hunter3\n` },
    { what: "a combo with a header", name: "a.txt", text: `email:password\n${jane}:hunter2\n` },
    { what: "a combo with commas", name: "a.csv", text: `${jane},hunter2\n${john},hunter3\n` },
    { what: "a list named .csv", name: "a.csv", text: `${jane}\n${john}\n` },
    {
      what: "url, login and secret with commas",
      name: "a.csv",
      text: `${jane},hunter2,https://a.example/\n${john},hunter3,https://b.example/\n`,
    },
    {
      what: "rows without a header in a text of any name",
      name: "a.txt",
      text: `Jane;${jane};hunter2\nJohn;${john};hunter3\n`,
    },
    {
      what: "prose with commas",
      name: "a.txt",
      text: `Dear all, email, and be kind.\nWrite to ${jane}, please, or call.\nOr to ${john}, of course, too.\n`,
    },
    {
      what: "statements of SQL",
      name: "a.txt",
      text: `INSERT INTO users (id, email, password) VALUES\n(1,'${jane}','hunter2'),\n(2,'${john}','hunter3');\n`,
    },
    {
      what: "a dump of PostgreSQL",
      name: "a.txt",
      text: `COPY users (id, email, password) FROM stdin;\n1\t${jane}\thunter2\n2\t${john}\thunter3\n\\.\n`,
    },
    {
      what: "a program",
      name: "a.js",
      text: `const fields = ["id", "email", "password"];\nsend("${jane}", fields, 1);\nsend("${john}", fields, 2);\n`,
    },
    { what: "a page", name: "a.html", text: `<html><body>\nemail,password\n${jane},x\n</body></html>\n` },
    { what: "JSON", name: "a.csv", text: `{"email":"${jane}","x":1}\n{"email":"${john}","x":2}\n` },
    {
      what: "blocks of a stealer",
      name: "a.txt",
      text: `URL: https://a.example/\nUsername: ${jane}\nPassword: hunter2\n`,
    },
    {
      what: "a table without addresses",
      name: "Info.csv",
      text: "Name,Date,Bucket,Media\na.txt,2024-01-01,leaks,24\n",
    },
    { what: "mail", name: "a.eml", text: `From: ${jane}\nTo: ${john}\nSubject: email, password\n\nHello,\nyou.\n` },
  ])("$what", ({ name, text }) => {
    expect(csv.recognises(sampleOf(name, Buffer.from(text), true), noWishes)).toBeNull();
  });

  test.each([
    { what: "with a header in a text of any name", name: "a.txt", text: `id|email|password\n1|${jane}|x\n` },
    { what: "of one column", name: null, text: `email\n${jane}\n` },
    { what: "of a header alone", name: "a.csv", text: "email,x\n" },
    {
      what: "of a dump without a header",
      name: "users.tsv",
      text: `0\tnick\t\\N\t${jane}\thunter2\t\\N\n1\tnick\t\\N\t${john}\thunter3\t\\N\n`,
    },
  ])("a table $what is recognised", ({ name, text }) => {
    expect(detectedFormat(text, name)).toBe("csv");
  });
});
