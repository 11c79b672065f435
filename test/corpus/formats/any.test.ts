import { describe, expect, test } from "vitest";
import { detectedFormat, told } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const john = "john.roe@example.org";

/** The addresses of a text, and the number of further possible addresses. */
async function read(
  text: string | Buffer,
): Promise<{ found: string[]; invalidCount: number; furtherAddresses: number }> {
  const { records, furtherAddresses } = await told(text, "any");
  const found = records.filter((record) => record !== "invalid_email");
  return { found, invalidCount: records.length - found.length, furtherAddresses };
}

describe("every address is found in any surroundings", () => {
  test.each([
    `INSERT INTO users VALUES (1,'nick','${jane}','pw','Jane');`,
    `INSERT INTO users VALUES (1, N'${jane}', N'pw')`,
    `VALUES ('x',_binary '${jane}','y')`,
    `COPY users FROM stdin;\n1\t${jane}\tpw\t\\N\n\\.\n`,
    `'Contact:\\n${jane}\\r\\n'`,
    `x\\t${jane}`,
    `'\\r${jane}'`,
    `\\\\u003c${jane}\\u003e`.slice(1),
    `"{\\"email\\":\\"${jane}\\"}"`,
    `'{\\'email\\':\\'${jane}\\'}'`,
    `'a:1:{s:5:"email";s:20:"${jane}";}'`,
    `'${jane}'`,
    `"${jane}      "`,
    `\`${jane}'`,
    `~${jane}~`,
    `|${jane}|`,
    `{${jane}}`,
    `[${jane}]`,
    `(${jane}), please`,
    `<${jane}>,`,
    `*${jane}*`,
    `**${jane}**`,
    `username=${jane}`,
    `to=<${jane}>, relay=mx.example.org[192.0.2.1]:25`,
    `?email=${jane}&x=1`,
    `mailto:${jane}?subject=x`,
    `<a href="mailto:${jane}">`,
    `<td>${jane}</td>`,
    `&lt;${jane}&gt;`,
    `&quot;${jane}&quot;`,
    `Write to ${jane}.`,
    `Is it ${jane}?`,
    `It is ${jane}!`,
    `... ${jane}...`,
    `Jane Doe <${jane}>; `,
    `From: "Doe, Jane" <${jane}>`,
    `EMAIL;TYPE=INTERNET:${jane}`,
    `  email: ${jane}`,
    `mail=${jane},ou=x`,
    `https://example.com/path/${jane}`,
    `email:${jane}：密码`,
    `邮箱：${jane}，密码`,
    `${jane}密码`,
    `Почта ${jane}и`,
    `${jane}\u00a0`,
    `\ufeff${jane}`,
    `\0${jane}\0`,
    `%3C${jane}%3E`,
    `%20${jane}%20`,
    "jane.doe%40example.com",
    "https://a.example/?email=jane.doe%40example.com&x=1",
    "%22jane.doe%40example.com%22",
    "jane.doe&#64;example.com",
    "<jane.doe&#x40;example.com>",
    "jane.doe&commat;example.com",
    '"jane.doe\\u0040example.com"',
    `JANE.DOE@EXAMPLE.COM`,
  ])("%j", async (text) => {
    expect(await read(`x\n${text}\n`)).toEqual({ found: [jane], invalidCount: 0, furtherAddresses: 0 });
    // The same in one long line.
    expect((await read(`${"x ".repeat(50_000)}${text}`)).found).toEqual([jane]);
  });

  test.each([
    ["'o\\'brien@example.com'", "o'brien@example.com"],
    ["'o''brien@example.com'", "o'brien@example.com"],
    ['"o\'brien@example.com"', "o'brien@example.com"],
    ["'','b@example.com'", "b@example.com"],
    ["?email=jane%2Bx%40example.com", "jane+x@example.com"],
    ["?email=j%C3%B6rg%40example.com", "jörg@example.com"],
    ["x&y@example.org", "x&y@example.org"],
    ["a%b@example.com", "a%b@example.com"],
    ["CORP\\\\nina@example.com", "nina@example.com"],
    ["prvs=0123=jane@example.com", "prvs=0123=jane@example.com"],
    ["user@bücher.example", "user@xn--bcher-kva.example"],
    ["root@localhost.localdomain", "root@localhost.localdomain"],
    ["a@b.zip c.mov", "a@b.zip"],
  ])("%j", async (text, address) => {
    expect((await read(`x\n${text}\n`)).found).toEqual([address]);
  });

  test("all addresses of a line of any length", async () => {
    const rows = Array.from({ length: 60_000 }, (_, n) => `(${n},'u${n}@example.com','hash${n}')`);
    const { found, furtherAddresses } = await read(`INSERT INTO users VALUES ${rows.join(",")};`);
    expect(new Set(found).size).toBe(60_000);
    expect(furtherAddresses).toBe(0);
    const list = Array.from({ length: 60_000 }, (_, n) => `u${n}@example.com`);
    for (const separator of [",", ", ", ";", " ", "|", '","']) {
      expect(new Set((await read(list.join(separator))).found).size).toBe(60_000);
    }
  });
});

describe("text that is not an address", () => {
  test.each([
    { text: "user@host and test7@example. nor test11@192.168.1.1", invalid: 3 },
    { text: "left-pad@1.3.0 react@18.0.0-rc.1 icon@2x.png getty@tty1.service", invalid: 4 },
    { text: "@name and me @ home, a@, @b.com", invalid: 0 },
    { text: `$\{user}@example.com {name}@example.com`, invalid: 0 },
    { text: "jane@@example.com", invalid: 0 },
    { text: "jane.doe@example.com@example.org", invalid: 2 },
    { text: "jane@example.com_old", invalid: 1 },
    { text: "a..b@example.com", invalid: 1 },
    { text: "Message-ID: <20240102.4AB@mx.example.net>", invalid: 0 },
    { text: "message-id=<20240102.4AB@mx.example.net>, size=5", invalid: 0 },
    { text: "msgid=<x@mx.example.net>", invalid: 0 },
    { text: '{"message_id":"<x@mx.example.net>"}', invalid: 0 },
    { text: "References: <a@mx.example.net> <b@mx.example.net>\n\t<c@mx.example.net>", invalid: 0 },
    { text: "In-Reply-To: <a@mx.example.net>", invalid: 0 },
  ])("$text", async ({ text, invalid }) => {
    expect(await read(`x\n${text}\n`)).toEqual({ found: [], invalidCount: invalid, furtherAddresses: 0 });
  });

  test.each([
    ["https://jane.doe@example.com/x"],
    ["postgres://app:secret@db.example.com:5432/x"],
    ["https://admin:secret@shop.example/"],
    ["CORP\\nina.doe@example.com"],
    ["AT&amp;T@example.com"],
    ["href=3Djane.doe@example.com"],
    ["ja=\nne.doe@example.com"],
    ["jane.doe@example.com=\n.au"],
  ])("%j is doubtful and only counted", async (text) => {
    expect(await read(`x\n${text}\n`)).toEqual({ found: [], invalidCount: 0, furtherAddresses: 1 });
  });

  test("nothing is kept but addresses", async () => {
    const { records } = await told(`https://shop.example/:${jane}:pw\n${john}:pw\n`, "any");
    expect(records).toEqual([jane, john]);
  });
});

describe("is detected as the last resort", () => {
  const rows = (make: (n: number) => string, count = 10) => Array.from({ length: count }, (_, n) => make(n)).join("\n");
  test.each([
    { what: "a dump", name: "a.sql", text: rows((n) => `INSERT INTO users VALUES (${n},'u${n}@example.com');`) },
    { what: "a dump without its name", name: null, text: rows((n) => `INSERT INTO users VALUES (${n},'${jane}');`) },
    { what: "a dump whose head has no address", name: "a.sql", text: `${"-- x\n".repeat(30_000)}('${jane}')` },
    {
      what: "tables whose head has no address",
      name: "a.txt",
      text: `${"DROP TABLE IF EXISTS x;\n".repeat(5_000)}('${jane}')`,
    },
    { what: "prose", name: "a.txt", text: `Write to ${jane}.\nOr to ${john}, please.\n` },
    { what: "a log", name: "mail.log", text: rows((n) => `Jan 2 10:11:12 mx smtp[7]: to=<u${n}@example.com>, sent`) },
    { what: "YAML", name: "a.yaml", text: rows((n) => `- name: Jane\n  email: u${n}@example.com`) },
    { what: "HTML", name: "a.html", text: `<html><body><pre>${jane}:pw<br>${john}:pw</pre></body></html>` },
    {
      what: "a mail",
      name: "a.eml",
      text: `Received: x\nFrom: <${jane}>\nTo: you\nSubject: x\n\n${"text\n".repeat(90)}`,
    },
    {
      what: "contacts",
      name: "a.vcf",
      text: `BEGIN:VCARD\nFN:Jane\n${"NOTE:x\n".repeat(90)}EMAIL:${jane}\nEND:VCARD\n`,
    },
  ])("$what", ({ text, name }) => {
    expect(detectedFormat(text, name)).toBe("any");
  });

  test.each([
    { what: "a text that mentions an address", text: `Contact the seller at ${jane} for more.\n` },
    { what: "a script", text: `#!/bin/sh\nmail ${jane} < x\n` },
    { what: "notes with two addresses", text: `${"A line of the notes of a program.\n".repeat(40)}${jane}\n${john}\n` },
    { what: "a dump without any address", text: "CREATE TABLE x (id int);\nINSERT INTO x VALUES (1);\n" },
    {
      what: "source code with authors",
      text: `${"const x = y;\n".repeat(40)}// @author ${jane}\n// @author ${john}\n`,
    },
  ])("but not $what", ({ text }) => {
    expect(detectedFormat(text, "a.txt")).toBeNull();
  });
});
