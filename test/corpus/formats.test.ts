import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CorpusError } from "../../src/corpus/error.ts";
import { detectPlan } from "../../src/corpus/formats/detect.ts";
import { type FormatName, formatNames } from "../../src/corpus/formats/format.ts";
import { sampleOf } from "../../src/corpus/formats/sample.ts";
import { openDesk } from "../helpers/corpus-desk.ts";
import { noWishes, readFormat } from "../helpers/read-format.ts";

const jane = "jane.doe@example.com";
const john = "john@example.org";

/** The records of a text read in pieces: the address with its site or leak, or the reason why it is unusable. */
async function readPieces(format: FormatName, pieces: Buffer[], fileName: string | null): Promise<string[]> {
  const { records } = await readFormat(format, pieces, { fileName });
  return records.map((record) =>
    typeof record === "string"
      ? record
      : [record.address, record.fields.subject].filter((part) => part !== undefined).join(" "),
  );
}

/** The format detected from the beginning of a file, or null. */
function detectFormat(fileName: string | null, head: Buffer): FormatName | null {
  return detectPlan(sampleOf(fileName, head, true), noWishes)?.format ?? null;
}

describe("findings of the leak formats", () => {
  test.each([
    {
      format: "combo" as const,
      text: `${jane}:pw\n`,
      finding: {
        category: "credential_leak",
        severity: "medium",
        title: "Present in shop",
        subjects: ["any-credential"],
      },
      corpus: { confidence: 0.5, origin: "combo" },
    },
    {
      format: "ulp" as const,
      text: `https://portal.example/:${jane}:pw\n`,
      finding: {
        category: "infostealer",
        severity: "high",
        title: "Credentials for portal.example in shop",
        subjects: ["portal.example"],
      },
      corpus: { confidence: 0.7, origin: "ulp" },
    },
    {
      format: "list" as const,
      text: `${jane}\n`,
      finding: { category: "spam_list", severity: "low", title: "Present in shop", subjects: ["shop"] },
      corpus: { confidence: 0.75, origin: "list" },
    },
  ])("$format", async ({ format, text, finding, corpus }) => {
    const desk = openDesk();
    await desk.importText(text, {}, "dump.txt");
    expect(await desk.lookup(jane)).toEqual([
      { ...finding, sourceUrl: null, years: [], details: [{ file: "dump.txt", format }] },
    ]);
    expect(desk.corpora.get("shop")).toMatchObject(corpus);
  });

  test("each site of an address is one finding, and all logins at a site are one record", async () => {
    const desk = openDesk();
    const lines = ["a", "b", "a", "c", "b"].map((site, index) => `https://${site}.example/${index}:${jane}:pw${index}`);
    expect(await desk.importText(lines.join("\n"))).toMatchObject({ read: 5, imported: 3, skipped: { duplicate: 2 } });
    expect((await desk.lookup(jane)).map(({ subjects }) => subjects)).toEqual([
      ["a.example"],
      ["b.example"],
      ["c.example"],
    ]);
  });
});

describe("the format is detected", () => {
  const blocks = `URL: https://a.example/\nUsername: ${jane}\nPassword: x\n`;
  test.each([
    { format: "csv", name: "a.csv", text: `email,x\n${jane},1\n` },
    { format: "csv", name: null, text: `id;E-Mail\n1;${jane}\n` },
    { format: "csv", name: "a.txt", text: `email\n${jane}\n` },
    { format: "jsonl", name: "a.jsonl", text: `{"x":1}\n` },
    { format: "jsonl", name: null, text: `{"Email":"${jane}"}\n{"email":"${john}"}\n` },
    { format: "combo", name: "a.txt", text: `${jane}:x\n${john}:y\n` },
    { format: "combo", name: null, text: `x:${jane}\ny:${john}\n` },
    { format: "combo", name: "symbols", text: `${jane};x\nnobody:x\n` },
    { format: "ulp", name: "a.txt", text: `https://a.example/:${jane}:x\nb.example:${john}:y\nc.example:nobody:z\n` },
    { format: "ulp", name: null, text: `${jane}:x:https://a.example/\n` },
    { format: "stealer", name: "Passwords.txt", text: `*****\n${blocks}=====\n${blocks}` },
    { format: "list", name: "a.txt", text: `${jane}\n${john}\n` },
    { format: "hibp-domain", name: "example.com.json", text: `{"jane.doe":["ExampleShop"]}` },
    { format: "hibp-domain", name: null, text: `{"BreachSearchResults":[{"Alias":"jane"}]}` },
    { format: "hibp-domain", name: "a.csv", text: `Alias,Domain,Breach\njane,example.com,Adobe\n` },
    { format: "dehashed", name: null, text: `{"balance":1,"entries":[{"id":"1"}]}` },
    { format: "dehashed", name: "a.csv", text: `id,email,hashed_password,database_name\n` },
  ])("$format in $name", ({ format, name, text }) => {
    expect(detectFormat(name, Buffer.from(text))).toBe(format);
  });

  test("no format is detected without an address", () => {
    expect(detectFormat(null, Buffer.from("nobody:x\n"))).toBeNull();
  });
});

describe("hostile files", () => {
  test.each(formatNames)("with random bytes are read as %s or refused, and cause no other error", async (format) => {
    const signs = fc.constantFrom(
      ..."{}[]\"':;,|\t\n\r @.\\\0<>=-",
      "email",
      "entries",
      "URL: ",
      jane,
      "https://",
      "ä",
    );
    const anyFile = fc.oneof(
      fc.array(signs).map((parts) => Buffer.from(parts.join(""))),
      fc.uint8Array().map(Buffer.from),
    );
    await fc.assert(
      fc.asyncProperty(anyFile, fc.integer({ min: 1, max: 9 }), async (bytes, size) => {
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
          bytes.subarray(index * size, (index + 1) * size),
        );
        const [whole, inPieces] = await Promise.all(
          [[bytes], pieces].map((parts) =>
            readPieces(format, parts, "example.com.json").catch((error: unknown) => {
              expect(error).toBeInstanceOf(CorpusError);
              return "refused";
            }),
          ),
        );
        expect(inPieces).toEqual(whole);
      }),
      { numRuns: 150 },
    );
  });

  test.each(formatNames)("cost %s time linear in their length: no pattern backtracks without bound", async (format) => {
    const size = 60_000;
    const fills = [":", " ", "a@b:", ":https://a", "=", "\\", '"', "a.", "@", "{", "[", "\t;", "%40", "-"];
    const lines = fills.flatMap((fill) => {
      const run = fill.repeat(size / fill.length);
      return [`${run}x`, `x${run}x:${jane}`, `URL${run}:x`, `'${run}|`, `${jane}${run}|`, `http://${run}/:${jane}:x`];
    });
    const header =
      format === "csv" || format === "dehashed" ? "email,title\n" : format === "hibp-domain" ? "email,breach\n" : "";
    const startedAt = performance.now();
    await readPieces(format, [Buffer.from(`${header}${lines.join("\n")}\n`)], "example.com.csv");
    for (const line of lines) {
      try {
        detectFormat(null, Buffer.from(line));
      } catch (error) {
        expect(error).toBeInstanceOf(CorpusError);
      }
    }
    // 5 MB. A pattern with quadratic cost takes seconds for a single line.
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});

describe("a secret in a record is never stored or shown", () => {
  const marker = "MARKER-hunter2";
  const wide = Buffer.from(marker, "utf16le");
  const files: { format: FormatName; name: string; text: string }[] = [
    {
      format: "csv",
      name: "a.csv",
      text: `email,password,hash,username,phone\n${jane},${marker},${marker},${marker},${marker}\n,${marker},,,\nbad,"${marker}",,,\n${john},"${marker}`,
    },
    {
      format: "jsonl",
      name: "a.jsonl",
      text: `{"email":"${jane}","password":"${marker}","x":{"y":["${marker}"]}}\n{"password":"${marker}"}\n{"email":["${marker}"]}\n{${marker}\n`,
    },
    {
      format: "combo",
      name: "a.txt",
      text: `${jane}:${marker}\n${marker}:${john}\nnobody:${marker}\n${jane}:x:${marker}\n`,
    },
    {
      format: "ulp",
      name: "b.txt",
      text: `https://a.example/${marker}?${marker}=1:${jane}:${marker}\n${jane}:${marker}:https://a.example/${marker}\nhttps://${marker}@b.example:${john}:${marker}\n`,
    },
    {
      format: "stealer",
      name: "c.txt",
      text: `URL: https://a.example/${marker}\nUsername: ${jane}\nPassword: ${marker}\n${marker}\n`,
    },
    { format: "list", name: "d.txt", text: `${jane}\n${marker}\n` },
    {
      format: "hibp-domain",
      name: "example.com.json",
      text: `{"jane.doe":["ExampleShop"],"x":[{"password":"${marker}"}]}`,
    },
    {
      format: "dehashed",
      name: "e.json",
      text: `{"entries":[{"email":["${jane}"],"password":["${marker}"],"hashed_password":["${marker}"],"database_name":"A"}]}`,
    },
  ];
  test.each(files)("$format", async ({ format, name, text }) => {
    const desk = openDesk();
    const report = await desk.importText(text, { format }, name);
    expect(report.imported).toBeGreaterThan(0);
    const found = await desk.lookup(jane);
    expect(found.length).toBeGreaterThan(0);
    const told = JSON.stringify([report, found, desk.publications, await desk.lookup(john)]);
    expect(told.toLowerCase()).not.toContain(marker.toLowerCase());
    const [segmentFile] = readdirSync(desk.corporaDir);
    const bytes = readFileSync(join(desk.corporaDir, segmentFile ?? ""));
    expect(bytes.includes(marker) || bytes.includes(marker.toLowerCase()) || bytes.includes(wide)).toBe(false);
    expect(bytes.includes("jane.doe")).toBe(false);
  });

  test.each(files)("in a file that is refused as $format", async ({ format, name }) => {
    const desk = openDesk();
    const text =
      format === "hibp-domain" || format === "dehashed" ? `{"${marker}":${marker}` : `${marker}\n${marker}\n`;
    const failure = desk.importText(text, { format }, name);
    await expect(failure).rejects.toMatchObject({ kind: "refused", message: expect.not.stringContaining(marker) });
    expect(readdirSync(desk.corporaDir)).toEqual([]);
  });
});
