import { describe, expect, test } from "vitest";
import { dateOf, isDateFormat } from "../../../src/corpus/input/sheet-date.ts";
import { StringTable } from "../../../src/corpus/input/string-table.ts";
import { fileOf, folderOf, piped, readInput, sha256Of } from "../../helpers/input-reader.ts";
import { tarOf } from "../../helpers/tar-file.ts";
import { zipOf } from "../../helpers/zip-file.ts";

const relations = (targets: readonly string[]) =>
  `<Relationships xmlns="x">${targets.map((target, index) => `<Relationship Id="rId${index + 1}" Target="${target}"/>`).join("")}</Relationships>`;
const book = (names: readonly string[], properties = "") =>
  `<?xml version="1.0"?><workbook xmlns:r="r">${properties}<sheets>${names.map((name, index) => `<sheet name="${name}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`).join("")}</sheets></workbook>`;
const sheet = (rows: string) => `<worksheet><sheetData>${rows}</sheetData></worksheet>`;
const jane = "jane.doe@example.com";

describe("an .xlsx workbook", () => {
  const parts = {
    "[Content_Types].xml": "<Types/>",
    "xl/_rels/workbook.xml.rels": relations(["worksheets/sheet9.xml", "/xl/worksheets/other.xml"]),
    "xl/workbook.xml": book(["Users &amp; co", "tom.elm@example.com/2"]),
    "xl/sharedStrings.xml": `<sst><si><t>email</t></si><si><r><t>jane.doe</t></r><r><rPr/><t>@example.com</t></r><rPh><t>said</t></rPh></si><si><t xml:space="preserve"> a, "b"
c;d </t></si><si><t/></si></sst>`,
    "xl/styles.xml": `<styleSheet><numFmts><numFmt numFmtId="170" formatCode="dd\\.mm\\.yyyy"/><numFmt numFmtId="171" formatCode="0.00 &quot;days&quot;"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="171"/></cellXfs></styleSheet>`,
    "xl/worksheets/sheet9.xml": sheet(
      `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>note</t></is></c></row>
<row r="2"><c r="A2" t="s"><v>1</v></c><c r="C2" t="s"><v>2</v></c><c r="D2" t="s"><v>3</v></c></row><row r="3"/>
<row r="4"><c r="A4" t="str"><f>A1&amp;"x"</f><v>x@example.com</v></c><c r="B4" s="1"><v>45678</v></c><c r="C4" s="2"><v>45678.5</v></c><c r="D4" s="3"><v>45678</v></c><c r="E4" t="b"><v>1</v></c><c r="F4" t="e"><v>#N/A</v></c><c r="AA4"><v>1</v></c></row>`,
    ),
    "xl/worksheets/other.xml": sheet(`<row><c><v>1</v></c><c><v>2</v></c></row>`),
  };
  const first = `email,,note\n${jane},," a, ""b""\nc;d "\nx@example.com,2025-01-21,2025-01-21 12:00:00,45678,TRUE,#N/A${",".repeat(21)}1\n`;

  test("is read sheet by sheet, as CSV", async () => {
    const bytes = zipOf(parts);
    const read = await readInput(fileOf("leak.xlsx", bytes));
    expect(read.texts).toEqual({ "Users & co.csv": first, "…@example.com_2.csv": "1,2\n" });
    expect(read.entries[0]?.innerName).toBe("Users & co.csv");
    expect(read).toMatchObject({ hasEntries: true, sha256: sha256Of(bytes), contentSha256: sha256Of(`${first}1,2\n`) });
  });

  test("is read in a folder, in archives and from a pipe", async () => {
    const bytes = zipOf(parts);
    const names = ["Users & co.csv", "…@example.com_2.csv"];
    expect(Object.keys((await readInput(folderOf({ "leak.xlsx": bytes }))).texts)).toEqual(
      names.map((name) => `leak.xlsx/${name}`),
    );
    expect(Object.keys((await readInput(fileOf("a", zipOf({ "x.xlsx": bytes })))).texts)).toEqual(
      names.map((name) => `x.xlsx/${name}`),
    );
    expect(Object.keys((await readInput(fileOf("a", tarOf([{ name: "x.xlsx", content: bytes }])))).texts)).toHaveLength(
      2,
    );
    expect(Object.keys((await readInput(piped(bytes, 100))).texts)).toEqual(names);
  });

  test("with the calendar of 1904 has its dates four years later", async () => {
    const changed = { ...parts, "xl/workbook.xml": book(["S"], '<workbookPr date1904="1"/>') };
    expect((await readInput(fileOf("a.xlsx", zipOf(changed)))).texts["S.csv"]).toContain(",2029-01-22,");
  });

  test("without relations, styles and shared strings is read", async () => {
    const bare = {
      "xl/workbook.xml": '<workbook><sheets><sheet name="" sheetId="1"/><sheet sheetId="2"/></sheets></workbook>',
      "xl/worksheets/sheet1.xml": sheet(`<row><c t="inlineStr"><is><t>${jane}</t></is></c></row>`),
      "xl/worksheets/sheet2.xml": sheet(""),
    };
    const read = await readInput(fileOf("a.xlsx", zipOf(bare)));
    expect(read.texts).toEqual({ "Sheet1.csv": `${jane}\n` });
    expect(read.leftOut).toEqual({ "Sheet2.csv": "empty" });
  });

  test("whose table of strings is too large is left out with the command to use", async () => {
    const strings = `<sst>${`<si><t>${"x".repeat(32_000)}</t></si>`.repeat(2200)}</sst>`;
    const bytes = zipOf({ ...parts, "xl/sharedStrings.xml": strings });
    await expect(readInput(fileOf("a.xlsx", bytes))).rejects.toThrow("soffice --headless --convert-to csv FILE");
  }, 30_000);

  test("that is damaged is refused", async () => {
    const bytes = zipOf(parts);
    bytes.writeUInt8(bytes.readUInt8(bytes.indexOf("sheet9.xml") + 40) ^ 0x55, bytes.indexOf("sheet9.xml") + 40);
    await expect(readInput(fileOf("a.xlsx", bytes))).rejects.toMatchObject({ kind: "refused" });
  });

  test("with a million cells of one long string is read in bounded memory", async () => {
    const rows = '<row><c t="s"><v>0</v></c></row>'.repeat(200_000);
    const bytes = zipOf({
      ...parts,
      "xl/workbook.xml": book(["S"]),
      "xl/sharedStrings.xml": `<sst><si><t>${"y".repeat(30_000)}</t></si></sst>`,
      "xl/worksheets/sheet9.xml": sheet(rows),
    });
    await expect(readInput(fileOf("a.xlsx", bytes))).rejects.toThrow("unpacked to more than 2000 times");
  }, 60_000);
});

describe("an .ods spreadsheet", () => {
  const content = `<office:document-content xmlns:office="o"><office:body><office:spreadsheet>
<table:table table:name="Users"><table:table-column/><table:table-row><table:table-cell office:value-type="string"><text:p>email</text:p></table:table-cell><table:table-cell table:number-columns-repeated="2"/><table:table-cell><text:p>date</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell><office:annotation><text:p>note@example.com</text:p></office:annotation><text:p>jane.doe@<text:span>example.com</text:span></text:p></table:table-cell><table:covered-table-cell table:number-columns-repeated="2"/><table:table-cell office:value-type="date" office:date-value="2025-01-21"><text:p>21.01.25</text:p></table:table-cell><table:table-cell table:number-columns-repeated="16000"/></table:table-row>
<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>
<table:table table:name="empty"><table:table-row><table:table-cell/></table:table-row></table:table>
<table:table table:name="B"><table:table-row><table:table-cell office:value-type="float" office:value="12345678"><text:p>12,345,678</text:p></table:table-cell><table:table-cell table:number-columns-repeated="3"><text:p>a</text:p><text:p>b</text:p></table:table-cell></table:table-row></table:table>
</office:spreadsheet></office:body></office:document-content>`;
  const parts = { mimetype: "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content };

  test("is read table by table, as CSV", async () => {
    const read = await readInput(fileOf("leak.ods", zipOf(parts)));
    expect(read.texts).toEqual({
      "Users.csv": `email,,,date\n${jane},,,2025-01-21\n`,
      "B.csv": '12345678,"a\nb","a\nb","a\nb"\n',
    });
    expect(read.leftOut).toEqual({ "empty.csv": "empty" });
  });

  test("of any other kind is refused as a document", async () => {
    const text = { ...parts, mimetype: "application/vnd.oasis.opendocument.text" };
    await expect(readInput(fileOf("a.odt", zipOf(text)))).rejects.toThrow("soffice --headless --cat FILE |");
  });
});

test.each([
  "word/document.xml",
  "ppt/presentation.xml",
  "xl/workbook.bin",
  "Index/Document.iwa",
  "AndroidManifest.xml",
])("an archive with %s is a document, which is left out of a folder", async (part) => {
  const bytes = zipOf({ "[Content_Types].xml": "<Types/>", [part]: "<x/>" });
  await expect(readInput(fileOf("a", bytes))).rejects.toMatchObject({ kind: "refused" });
  const read = await readInput(folderOf({ "a.txt": `${jane}\n`, "b.docx": bytes }));
  expect(Object.keys(read.leftOut)).toEqual(["b.docx"]);
});

describe("a number that is a date", () => {
  test.each([
    [1, false, "1900-01-01"],
    [59, false, "1900-02-28"],
    [61, false, "1900-03-01"],
    [45678, false, "2025-01-21"],
    [45678.75, false, "2025-01-21 18:00:00"],
    [1, true, "1904-01-02"],
    [2958465, false, "9999-12-31"],
    [2958466, false, null],
    [0.5, false, null],
    [Number.NaN, false, null],
  ])("%d (from 1904: %s) is %s", (days, isFrom1904, date) => {
    expect(dateOf(days, isFrom1904)).toBe(date);
  });

  test("is recognised by its format", () => {
    for (const id of [14, 22, 57]) expect(isDateFormat(id, undefined)).toBe(true);
    for (const id of [0, 1, 9, 44, 49]) expect(isDateFormat(id, undefined)).toBe(false);
    for (const code of ["yyyy\\-mm\\-dd", "d/m/yy", "[$-409]mmm d, yyyy", "mm/dd"])
      expect(isDateFormat(170, code)).toBe(true);
    for (const code of ["0.00", '0 "days"', "[Red]0", "h:mm:ss", "General", "_-d0"])
      expect(isDateFormat(170, code)).toBe(false);
  });
});

test("a table of strings returns each string by its number", () => {
  const table = new StringTable();
  for (let index = 0; index < 50_000; index++) table.add(`größe ${index} ${"x".repeat(index % 50)}`);
  table.add("");
  for (const index of [0, 1, 777, 49_999]) expect(table.get(index)).toBe(`größe ${index} ${"x".repeat(index % 50)}`);
  for (const index of [50_000, 50_001, -1, Number.NaN]) expect(table.get(index)).toBe("");
});
