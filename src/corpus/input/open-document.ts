import { ByteReader } from "./bytes.ts";
import { type Container, type Member, streamedMember } from "./container.ts";
import { CsvText } from "./csv-text.ts";
import { sheetName } from "./spreadsheet.ts";
import { xmlReader } from "./xml-reader.ts";

type Table = { readonly name: string; readonly csv: CsvText; isEnded: boolean };

/** A cell repeated more often than this only fills the row. */
const maxRepeated = 64;

/** Reads the tables of an OpenDocument spreadsheet (.ods; ODF 1.3, part 3, 9) as CSV files `NAME.csv`, in one pass. */
export function openTables(content: { readonly reader: ByteReader; readonly close: () => void }): Container {
  const tables: Table[] = [];
  let tableCount = 0;
  let isEnded = false;
  let column = 0;
  let cell: { value: string | null; text: string; repeated: number } | null = null;
  /** Inside a paragraph of the cell, but not inside a note. */
  let isParagraph = false;
  let isNote = false;
  const { advance } = xmlReader(content.reader.pull, {
    onOpen(name, attributes) {
      if (name === "table") {
        tables.push({ name: sheetName(attributes["table:name"], tableCount++), csv: new CsvText(), isEnded: false });
      }
      if (name === "table-row") column = 0;
      if (name === "annotation") isNote = true;
      if (name === "table-cell" || name === "covered-table-cell") {
        const value = attributes["office:date-value"] ?? attributes["office:value"] ?? null;
        const repeated = Math.max(1, Number(attributes["table:number-columns-repeated"] ?? 1) || 1);
        cell = { value: value?.replace("T", " ") ?? null, text: "", repeated };
      }
      if (cell === null || isNote) return;
      if (name === "p") {
        isParagraph = true;
        if (cell.text !== "") cell.text += "\n";
      }
      if (name === "s" || name === "tab" || name === "line-break") cell.text += " ";
    },
    onText(text) {
      if (cell !== null && isParagraph && !isNote) cell.text += text;
    },
    onClose(name) {
      const table = tables.at(-1);
      if (name === "p" && !isNote) isParagraph = false;
      if (name === "annotation") isNote = false;
      if (name === "table-row") table?.csv.endRow();
      if (name === "table" && table !== undefined) table.isEnded = true;
      if ((name !== "table-cell" && name !== "covered-table-cell") || cell === null) return;
      const value = cell.value ?? cell.text;
      for (let at = 0; at < Math.min(cell.repeated, maxRepeated); at++) table?.csv.put(column + at, value);
      column += cell.repeated;
      cell = null;
    },
  });
  let current: Table | null = null;

  async function nextTable(): Promise<Table | null> {
    for (;;) {
      const at = current === null ? 0 : tables.indexOf(current) + 1;
      const found = tables[at];
      if (found !== undefined) {
        tables.splice(0, at);
        return found;
      }
      current?.csv.take();
      if (isEnded) return null;
      isEnded = !(await advance());
    }
  }

  return {
    async next(): Promise<Member | null> {
      current = await nextTable();
      if (current === null) return null;
      const { name, csv } = current;
      const table = current;
      const pull = async (): Promise<Buffer | null> => {
        for (;;) {
          const bytes = csv.take();
          if (bytes.length > 0) return bytes;
          if (table.isEnded || isEnded) return null;
          isEnded = !(await advance());
        }
      };
      return streamedMember(`${name}.csv`, new ByteReader(pull));
    },
    close: () => content.close(),
  };
}
