/** Collects rows of cells as lines of CSV (RFC 4180), to be taken in pieces. */
export class CsvText {
  #text = "";
  #cells: string[] = [];

  /** A cell by its column, from 0; cells that are left out are empty. */
  put(column: number, value: string): void {
    if (value === "" || column > maxColumn) return;
    while (this.#cells.length < column) this.#cells.push("");
    this.#cells[column] = value;
  }

  /** Ends the row; one without a value is no line. */
  endRow(): void {
    if (this.#cells.length === 0) return;
    this.#text += `${this.#cells.map(quoted).join(",")}\n`;
    this.#cells = [];
  }

  /** What has come together since the last time. */
  take(): Buffer {
    const bytes = Buffer.from(this.#text);
    this.#text = "";
    return bytes;
  }
}

/** A sheet has 16,384 columns. */
const maxColumn = 16_383;

function quoted(cell: string): string {
  return /[",;|\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
