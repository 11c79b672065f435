import { describe, expect, test } from "vitest";
import { openDesk } from "../../helpers/corpus-desk.ts";
import { detectedFormat, told } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const john = "john@example.org";

const context = [1, 2, 3, 4, 5].map((n) => `u${n}@example.org:pw${n}`).join("\n");

/** The record of the last line in a file of combos. */
async function lineIn(line: string | Buffer): Promise<{ record: string | undefined; furtherAddresses: number }> {
  const { records, furtherAddresses } = await told(
    Buffer.concat([Buffer.from(`${context}\n`), Buffer.from(line), Buffer.from("\n")]),
  );
  expect(records).toHaveLength(6);
  return { record: records.at(-1), furtherAddresses };
}

describe("the address of a combo", () => {
  const separators = [
    ":",
    ";",
    "|",
    "\t",
    ",",
    " ",
    "  ",
    "::",
    " : ",
    " - ",
    "----",
    "-----",
    "--",
    "/",
    "=",
    "\\",
    "~",
    ">",
    "#",
  ];
  const wide = ["：", "；", "｜", "，", "\u00a0:", "\u200b:", "\ufeff:", "\0:", "-|-", " → ", "•"];
  test.each([...separators, ...wide])("comes before the separator %j", async (separator) => {
    for (const secret of ["secret", "Zq7word0", "!x", "a.b", "7.8", "x:y;z|w", "com", ""]) {
      expect(await lineIn(`${jane}${separator}${secret}`)).toEqual({ record: jane, furtherAddresses: 0 });
    }
  });

  test.each([
    ":",
    ";",
    "|",
    "\t",
    ",",
    " ",
    " : ",
    "----",
    "/",
    "=",
    "\\",
    "~",
    ">",
    "#",
    "：",
    "｜",
    "\u00a0",
    "\0",
    "-|-",
  ])("comes after the separator %j", async (separator) => {
    for (const secret of ["secret", "Zq7word0", "!x!", "a.b", "7.8", "tomorrow", "Secret1"]) {
      expect(await lineIn(`${secret}${separator}${jane}`)).toEqual({ record: jane, furtherAddresses: 0 });
    }
  });

  test.each([
    `${jane}:`,
    jane,
    `${jane}:5f4dcc3b5aa765d61d8327deb882cf99:salt`,
    `${jane}:$2y$10$abcdefghijklmnopqrstuv`,
    `5f4dcc3b5aa765d61d8327deb882cf99:${jane}:secret`,
    `100:${jane}:5f4dcc3b5aa765d61d8327deb882cf99`,
    `192.0.2.1:${jane}:secret`,
    `Jane Doe;${jane};secret`,
    `nick:${jane}:secret`,
    `nick:secret:${jane}`,
    `nick:se%%:cr:${jane}`,
    `103238700-|--|-${jane}-|-EQ7fIpT7i/Q=-|-hint|--`,
    `JANE.DOE@EXAMPLE.COM:x`,
    `"${jane}":"x"`,
    `'${jane}':'x'`,
    `<${jane}>:x`,
    `(${jane}):x`,
    `[${jane}]:x`,
    `mailto:${jane}:x`,
    `<mailto:${jane}>:x`,
    `('${jane}', 'x'),`,
    `{'email': '${jane}', 'password': 'x'}`,
    `b'${jane}':b'x'`,
    `"${jane}": "x",`,
    `Email: ${jane} | Password: x`,
    `email=${jane};password=x`,
    `1. ${jane}:x`,
    `12) ${jane}:x`,
    `- ${jane}:x`,
    `* ${jane}:x`,
    `• ${jane}:x`,
    `•${jane}:x`,
    `✉${jane}:x`,
    `[HIT] ${jane}:x - Country: DE`,
    `[+] ${jane}:x`,
    `dump.txt:${jane}:x`,
    `dump.txt:12:${jane}:x`,
    `./a b/dump.txt:${jane}:x`,
    `  ${jane}:x\t`,
    `\0${jane}:x\0\0`,
    `\ufeff${jane}:x`,
    `\u200b${jane}:x`,
    `\u00a0${jane}\u00a0:x`,
    `${jane}.:x`,
    `${jane},:x`,
    `${jane}...:x`,
    `\\n${jane}:x`,
    `${jane}:x\\r\\n`,
    `CORP\\${jane}:x`,
    `<mailto:x>:${jane}`,
    `jane@:${jane}`,
    `${jane}:pässword`,
  ])("%j", async (line) => {
    expect(await lineIn(line)).toEqual({ record: jane, furtherAddresses: 0 });
  });

  test.each([
    ["o'brien@example.com:x", "o'brien@example.com"],
    ["'o'brien@example.com':x", "o'brien@example.com"],
    ["a%b@example.com:x", "a%b@example.com"],
    ["x&y@example.org:x", "x&y@example.org"],
    ["a!b$c@example.org:x", "a!b$c@example.org"],
    ["_x@example.com:x", "_x@example.com"],
    ["-x@example.com:x", "-x@example.com"],
    ["jo-x@example.org:x", "jo-x@example.org"],
    ["john+news@example.org:x", "john+news@example.org"],
    ["jörg@example.com:x", "jörg@example.com"],
    ["ИВАН@example.com:x", "иван@example.com"],
    ["user@bücher.example:x", "user@xn--bcher-kva.example"],
    ["user@BÜCHER.example----x", "user@xn--bcher-kva.example"],
    ["user@xn--bcher-kva.example----x", "user@xn--bcher-kva.example"],
    ["user@почта.рф----x", "user@xn--80a1acny.xn--p1ai"],
    ["user@xn--80a1acny.xn--p1ai----x", "user@xn--80a1acny.xn--p1ai"],
    ["bounce+jane.doe=example.com@lists.example.org:x", "bounce+jane.doe=example.com@lists.example.org"],
  ])("%s", async (line, address) => {
    expect(await lineIn(line)).toEqual({ record: address, furtherAddresses: 0 });
  });

  test("is the first of several; the others may be secrets and are only counted", async () => {
    expect(await lineIn(`${jane}:${john}`)).toEqual({ record: jane, furtherAddresses: 1 });
    expect(await lineIn(`${jane}:a:b;${john}|u@example.net`)).toEqual({ record: jane, furtherAddresses: 2 });
  });

  test("is missing in a line without one, with the reason", async () => {
    expect((await lineIn("jane:hunter2")).record).toBe("no_email");
    expect((await lineIn("null:0f0f0f0f0f0f0f0f")).record).toBe("no_email");
    expect((await lineIn("jane:hunter@2")).record).toBe("invalid_email");
    expect((await lineIn("jane@example:hunter2")).record).toBe("invalid_email");
    expect((await lineIn("jane@1.2.3:hunter2")).record).toBe("invalid_email");
    expect((await lineIn("jane@@example.com:hunter2")).record).toBe("invalid_email");
    expect((await lineIn("jane@example.com@x:hunter2")).record).toBe("invalid_email");
    expect((await lineIn("a..b@example.com:hunter2")).record).toBe("invalid_email");
    expect((await lineIn("icon@2x.png:hunter2")).record).toBe("invalid_email");
    expect((await lineIn(Buffer.from("j\xe4ne@example.com:x", "latin1"))).record).toBe("invalid_email");
    expect((await lineIn("@".repeat(50_000))).record).toBe("invalid_email");
  });

  test("invalid UTF-8 invalidates only the address around it", async () => {
    expect((await lineIn(Buffer.from(`${jane}:p\xe4ss`, "latin1"))).record).toBe(jane);
    expect((await lineIn(Buffer.from(`\xef\xf0\xe8:${jane}:x`, "latin1"))).record).toBe(jane);
  });

  test("is found at the beginning of a line of any length", async () => {
    expect(await lineIn(`${jane}:${"x".repeat(700_000)}`)).toEqual({ record: jane, furtherAddresses: 0 });
    expect(await lineIn(`${jane}:${"x\0".repeat(70_000)}`)).toEqual({ record: jane, furtherAddresses: 0 });
    expect(await lineIn(`${jane}:${"x".repeat(700_000)}:${john}`)).toEqual({ record: jane, furtherAddresses: 1 });
    // Longer than the bytes read at a time.
    const desk = openDesk();
    const text = `${context}\n${jane}:${"x".repeat(3 << 20)}:${john}\nu6@example.org:pw\n`;
    expect(await desk.importText(text)).toMatchObject({ read: 7, imported: 7, furtherAddresses: 1 });
    expect(await desk.lookup(jane)).toHaveLength(1);
    expect(await desk.lookup("u6@example.org")).toHaveLength(1);
  });
});

test("blank lines, line ends of all kinds and a header are not records", async () => {
  const text = `email:password\n\n\r\n${jane}:1\r\n\r\n \t\n\0\0\n\ufeff\n${john}:2\r${jane}:3`;
  expect((await told(text, "combo")).records).toEqual([jane, john, jane]);
  expect((await told(`${jane}:1\nemail:password\n`, "combo")).records).toEqual([jane, "no_email"]);
});

test("with --format combo every line is a combo", async () => {
  const text = `https://a.example/:${jane}:pw\n${john}:pw:https://a.example/\na.example/x:u@example.net:pw\n`;
  expect((await told(text, "combo")).records).toEqual([jane, john, "u@example.net"]);
});

describe("is detected", () => {
  const lines = (make: (n: number) => string, count = 10) =>
    Array.from({ length: count }, (_, n) => make(n)).join("\n");
  test.each([
    { what: "with colons", text: lines((n) => `u${n}@example.com:pw${n}`) },
    { what: "with blanks", text: lines((n) => `u${n}@example.com pw${n}`) },
    { what: "swapped", text: lines((n) => `pw${n}:u${n}@example.com`) },
    { what: "with many nicknames", text: lines((n) => (n % 3 === 0 ? `u${n}@example.com:pw` : `nick${n}:p@ss`)) },
    { what: "under a header", text: `email:password\n${lines((n) => `u${n}@example.com:pw${n}`)}` },
    { what: "with names in front", text: lines((n) => `Jane Doe;u${n}@example.com;pw${n}`) },
    { what: "as tuples", text: lines((n) => `('u${n}@example.com', 'pw${n}'),`) },
    { what: "as pairs of JSON", text: lines((n) => `"u${n}@example.com": "pw${n}",`) },
    { what: "with the results of a checker", text: lines((n) => `u${n}@example.com:pw | Plan = A | Balance = ${n}`) },
    { what: "with four hyphens", text: lines((n) => `u${n}@example.com----pw${n}`) },
    { what: "of a leak with bars", text: lines((n) => `1032387${n}-|--|-u${n}@example.com-|-EQ7fIpT7i/Q=-|-hint|--`) },
    { what: "before a very long line", text: `${jane}:pw\n${john}:${"x".repeat(1 << 20)}` },
  ])("$what", ({ text }) => {
    expect(detectedFormat(text)).toBe("combo");
  });

  test.each([
    { what: "a block of labels", text: lines((n) => `Email: u${n}@example.com\nPassword: pw${n}\n`) },
    { what: "YAML", text: lines((n) => `- name: Jane\n  email: u${n}@example.com\n  password: pw${n}`) },
    { what: "contacts", text: lines((n) => `BEGIN:VCARD\nFN:Jane\nEMAIL;TYPE=INTERNET:u${n}@example.com\nEND:VCARD`) },
    { what: "LDIF", text: lines((n) => `dn: uid=${n},dc=example\nmail: u${n}@example.com\n`) },
    { what: "a mail", text: `From: Jane <${jane}>\nTo: <${john}>\nSubject: Hello: you\nDate: Mon\n\nHello John,\n` },
    { what: "prose", text: lines((n) => `Write to u${n}@example.com. It is a good idea: really.`) },
    {
      what: "prose with a colon",
      text: lines((n) => `u${n}@example.com: that is the address of a good friend of mine`),
    },
    {
      what: "a mail log",
      text: lines((n) => `Jan 2 10:11:12 mx postfix/smtp[7]: 4AB: to=<u${n}@example.com>, relay=none`),
    },
    { what: "SQL", text: lines((n) => `(${n},'nick','u${n}@example.com','pw','Jane'),`) },
    { what: "HTML", text: lines((n) => `<tr><td>u${n}@example.com</td><td>pw${n}</td></tr>`) },
    { what: "source code", text: lines((n) => `const address${n} = "u${n}@example.com"; // x: y`) },
    { what: "columns", text: lines((n) => `u${n}@example.com\tJane\tDoe\t1970`) },
  ])("$what is not a combo list", ({ text }) => {
    expect(detectedFormat(text, "a.txt")).not.toMatch(/^(?:combo|ulp|list)$/);
  });

  test("a single line longer than the sample is read as any text", () => {
    expect(detectedFormat(`${jane}:pw, `.repeat(10_000))).toBe("any");
  });
});
