import { ByteReader, type Pull } from "./bytes.ts";
import { type Container, type Member, streamedMember } from "./container.ts";
import { CsvText } from "./csv-text.ts";
import { dateOf, isDateFormat } from "./sheet-date.ts";
import { StringTable } from "./string-table.ts";
import { xmlReader } from "./xml-reader.ts";

/** Opens a part of the workbook by its path; null when it does not exist. */
export type OpenPart = (path: string) => { readonly reader: ByteReader; readonly close: () => void } | null;

/**
 * Reads the sheets of an Office Open XML workbook (.xlsx; ECMA-376, part 1, 18) as CSV files `NAME.csv`. Dates are
 * written as `YYYY-MM-DD`, with the time if they have one. A formula gives its stored value.
 */
export async function openWorkbook(openPart: OpenPart): Promise<Container> {
  const book = await readBook(openPart);
  let strings: Promise<StringTable> | null = null;
  let dateStyles: Promise<ReadonlySet<number>> | null = null;
  let index = 0;
  let close: () => void = () => undefined;
  function next(): Member | null {
    close();
    const sheet = book.sheets[index++];
    if (sheet === undefined) return null;
    const part = openPart(sheet.path);
    if (part === null) return next();
    close = part.close;
    const pull = sheetText(part.reader.pull, async () => {
      strings ??= readStrings(openPart);
      dateStyles ??= readDateStyles(openPart);
      return { strings: await strings, dateStyles: await dateStyles, isFrom1904: book.isFrom1904 };
    });
    return streamedMember(`${sheet.name}.csv`, new ByteReader(pull), part.close);
  }
  return { next, close: () => close() };
}

type Book = { readonly sheets: { readonly name: string; readonly path: string }[]; readonly isFrom1904: boolean };

async function readBook(openPart: OpenPart): Promise<Book> {
  const targets = new Map<string, string>();
  await readPart(openPart("xl/_rels/workbook.xml.rels"), {
    onOpen(name, { Id, Target }) {
      if (name === "Relationship" && Id !== undefined && Target !== undefined) targets.set(Id, partPath(Target));
    },
  });
  const sheets: { name: string; path: string }[] = [];
  let isFrom1904 = false;
  await readPart(openPart("xl/workbook.xml"), {
    onOpen(name, attributes) {
      if (name === "workbookPr") isFrom1904 = isTrue(attributes["date1904"]);
      if (name !== "sheet") return;
      const path = targets.get(attributes["r:id"] ?? "") ?? `xl/worksheets/sheet${sheets.length + 1}.xml`;
      sheets.push({ name: sheetName(attributes["name"], sheets.length), path });
    },
  });
  return { sheets, isFrom1904 };
}

/** A target is relative to the folder of the workbook, or absolute in the archive. */
function partPath(target: string): string {
  return target.startsWith("/") ? target.slice(1) : `xl/${target}`;
}

/** Makes the name of a sheet usable as the last part of a path. */
export function sheetName(name: string | undefined, index: number): string {
  return (name ?? "").replaceAll("/", "_").trim() || `Sheet${index + 1}`;
}

function isTrue(value: string | undefined): boolean {
  return value === "1" || value === "true";
}

type Events = Partial<Parameters<typeof xmlReader>[1]>;

async function readPart(part: ReturnType<OpenPart>, events: Events): Promise<void> {
  if (part === null) return;
  const ignore = () => undefined;
  const { advance } = xmlReader(part.reader.pull, { onOpen: ignore, onText: ignore, onClose: ignore, ...events });
  try {
    while (await advance());
  } finally {
    part.close();
  }
}

async function readStrings(openPart: OpenPart): Promise<StringTable> {
  const table = new StringTable();
  const text = new RichText();
  await readPart(openPart("xl/sharedStrings.xml"), {
    onOpen: (name) => text.open(name),
    onText: (piece) => text.add(piece),
    onClose(name) {
      text.close(name);
      if (name === "si") table.add(text.take());
    },
  });
  return table;
}

/** Collects the text of a string or a cell from its runs, without phonetic guides (`rPh`). */
class RichText {
  #text = "";
  #isText = false;
  #isPhonetic = false;

  open(name: string): void {
    if (name === "t") this.#isText = true;
    if (name === "rPh") this.#isPhonetic = true;
  }

  add(piece: string): void {
    if (this.#isText && !this.#isPhonetic && this.#text.length < maxLength) this.#text += piece;
  }

  close(name: string): void {
    if (name === "t") this.#isText = false;
    if (name === "rPh") this.#isPhonetic = false;
  }

  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}

const maxLength = 32_767;

/** The indexes of the cell styles that show a number as a date. */
async function readDateStyles(openPart: OpenPart): Promise<ReadonlySet<number>> {
  const formats = new Map<number, string>();
  const styles = new Set<number>();
  let count = 0;
  let isCellStyles = false;
  await readPart(openPart("xl/styles.xml"), {
    onOpen(name, { numFmtId, formatCode }) {
      if (name === "cellXfs") isCellStyles = true;
      if (name === "numFmt") formats.set(Number(numFmtId), formatCode ?? "");
      if (name !== "xf" || !isCellStyles) return;
      const id = Number(numFmtId ?? 0);
      if (isDateFormat(id, formats.get(id))) styles.add(count);
      count++;
    },
    onClose(name) {
      if (name === "cellXfs") isCellStyles = false;
    },
  });
  return styles;
}

type Tables = { readonly strings: StringTable; readonly dateStyles: ReadonlySet<number>; readonly isFrom1904: boolean };

/** The rows of a sheet as CSV. */
function sheetText(pull: Pull, readTables: () => Promise<Tables>): Pull {
  const csv = new CsvText();
  const inline = new RichText();
  let tables: Tables | null = null;
  let column = -1;
  let type = "";
  let style = 0;
  let value = "";
  let isValue = false;
  const { advance } = xmlReader(pull, {
    onOpen(name, attributes) {
      inline.open(name);
      if (name === "row") column = -1;
      if (name === "v") isValue = true;
      if (name !== "c") return;
      column = columnOf(attributes["r"]) ?? column + 1;
      type = attributes["t"] ?? "n";
      style = Number(attributes["s"] ?? 0);
      value = "";
    },
    onText(text) {
      inline.add(text);
      if (isValue && value.length < maxLength) value += text;
    },
    onClose(name) {
      inline.close(name);
      if (name === "v") isValue = false;
      if (name === "row") csv.endRow();
      if (name !== "c") return;
      const text = inline.take();
      csv.put(column, type === "inlineStr" ? text : cellText(value, type, style, tables));
    },
  });
  let isEnded = false;
  return async () => {
    tables ??= await readTables();
    while (!isEnded) {
      isEnded = !(await advance());
      const bytes = csv.take();
      if (bytes.length > 0) return bytes;
    }
    return null;
  };
}

function cellText(value: string, type: string, style: number, tables: Tables | null): string {
  if (type === "s") return value === "" ? "" : (tables?.strings.get(Number(value)) ?? "");
  if (type === "b") return value === "1" ? "TRUE" : "FALSE";
  if (type === "n" && value !== "" && tables?.dateStyles.has(style)) {
    return dateOf(Number(value), tables.isFrom1904) ?? value;
  }
  return value;
}

/** The column of a reference (`B7` is column 1); null without a reference. */
function columnOf(reference: string | undefined): number | null {
  let column = 0;
  for (const letter of reference ?? "") {
    const digit = letter.charCodeAt(0) - 0x40;
    if (digit < 1 || digit > 26) break;
    column = column * 26 + digit;
  }
  return column === 0 ? null : column - 1;
}
