/** Builds CSV (RFC 4180) row by row; the text is taken in pieces. */
export class CsvText {
  #text = "";
  #cells: string[] = [];

  /** Sets the cell of a column, counted from 0. Skipped cells are empty. */
  put(column: number, value: string): void {
    if (value === "" || column > maxColumn) return;
    while (this.#cells.length < column) this.#cells.push("");
    this.#cells[column] = value;
  }

  /** Ends the row. A row without values writes no line. */
  endRow(): void {
    if (this.#cells.length === 0) return;
    this.#text += `${this.#cells.map(quoted).join(",")}\n`;
    this.#cells = [];
  }

  /** The text written since the last call. */
  take(): Buffer {
    const bytes = Buffer.from(this.#text);
    this.#text = "";
    return bytes;
  }
}

/** Index of the last of the 16,384 columns of a sheet. */
const maxColumn = 16_383;

function quoted(cell: string): string {
  return /[",;|\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
