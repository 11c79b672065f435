import type { EmailAddress } from "../../domain/email.ts";
import { isAbsent } from "../record.ts";
import { addressesInCell, isAddressCell } from "./address-cells.ts";
import { addressTextsIn } from "./addresses-in.ts";
import { kindOfName } from "./column-names.ts";
import { CellCutter, type CsvDialect, cutAtRecordEnd } from "./csv-cells.ts";
import type { CsvTable } from "./csv-table.ts";
import type { RecordReader, RecordSink, UnusableReason } from "./format.ts";

/** The parts of a plan needed to read the rows of a table. */
export type TablePlan = CsvDialect & {
  readonly width: number;
  readonly skipSize: number;
  /** Columns for the address; the first that holds an address counts. */
  readonly addressColumns: readonly number[];
  /** Names of these columns in the header; empty without a header. A row that repeats them is a repeated header. */
  readonly addressNames: readonly string[];
  /** Whether text without an address in these columns is an invalid address, not a user name. */
  readonly isMailColumn: boolean;
};

export function tablePlanOf(table: CsvTable, addressColumns: readonly number[]): TablePlan {
  const { separator, hasBackslashes, width, skipSize, header } = table;
  const names = addressColumns.map((column) => header?.[column] ?? "");
  return {
    separator,
    hasBackslashes,
    width,
    skipSize,
    addressColumns,
    addressNames: header === null ? [] : names,
    isMailColumn: names.some((name) => kindOfName(name) === "email" || kindOfName(name) === "mail"),
  };
}

/** How a format handles the rows of a table. */
export type RowRules = {
  /** Fast path: reads an ordinary row from its bytes; false when `readRow` must do it. */
  readonly scanRow?: (bytes: Buffer, cells: CellCutter) => boolean;
  readonly readRow: (row: Row) => void;
};

/** A row with its cells as text. */
export type Row = {
  readonly cell: (column: number) => string | undefined;
  /** The same for human-readable text. */
  readonly prose: (column: number) => string | undefined;
  /** In canonical form, without duplicates; or the reason why there is none. */
  readonly addresses: readonly EmailAddress[] | UnusableReason;
  /** The row has more cells than the table has columns, so values may stand in the wrong column. */
  readonly isShifted: boolean;
};

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** Rules of drawn tables: `+----+----+`. */
const rule = /^[\s+|:_=-]*$/;

/** The end of a block of rows, see `Cut`. */
export function cutTable(bytes: Uint8Array, start: number, end: number, plan: TablePlan, isFirst: boolean): number {
  // The text above the first row may have any form.
  const from = isFirst ? Math.min(end, start + plan.skipSize) : start;
  const at = cutAtRecordEnd(bytes, from, end, plan);
  return at > from ? at : start;
}

/** Reads the rows of a CSV text. Skips blank lines and the text above the first row. */
export function tableReader(plan: TablePlan, sink: RecordSink, isFirst: boolean, rules: RowRules): RecordReader {
  const cells = new CellCutter(plan);
  let skipSize = isFirst ? plan.skipSize : 0;
  return {
    read(bytes, start, end) {
      const from = start + skipSize;
      skipSize = 0;
      for (let at = from; at < end; ) {
        const byte = bytes[at];
        if (byte === lineFeed || byte === carriageReturn) {
          at++;
          continue;
        }
        const rowEnd = cells.cut(bytes, at, end);
        if (cells.fault !== null) {
          sink.noteFurtherAddresses(
            addressTextsIn(bytes.toString("utf8", at, Math.min(rowEnd, at + maxFaultySize))).length,
          );
          sink.add(cells.fault);
        } else if (rules.scanRow?.(bytes, cells) !== true) {
          readRow(bytes, cells, plan, sink, rules.readRow);
        }
        at = rowEnd + 1;
      }
    },
    end: () => undefined,
  };
}

/** Addresses of a longer faulty row are counted only in its beginning. */
const maxFaultySize = 1 << 20;

function readRow(bytes: Buffer, cells: CellCutter, plan: TablePlan, sink: RecordSink, take: (row: Row) => void): void {
  if (isEmpty(cells) || isNoRecord(bytes, cells, plan)) return;
  const isShifted = widthOf(cells) > plan.width;
  const cell = (column: number) => cells.text(bytes, column);
  const addresses = addressesOf(cell, cells, plan);
  sink.noteFurtherAddresses(countFurther(bytes, cells, addresses));
  take({ cell, prose: (column) => cells.prose(bytes, column), addresses, isShifted });
}

function isEmpty(cells: CellCutter): boolean {
  for (let cell = 0; cell < cells.count; cell++) if (cells.end(cell) > cells.start(cell)) return false;
  return true;
}

/** Whether a row is a rule of a drawn table or a repeated header of concatenated tables. */
function isNoRecord(bytes: Buffer, cells: CellCutter, { addressColumns, addressNames }: TablePlan): boolean {
  if (cells.signCount > 0) return false;
  const [column = 0] = addressColumns;
  const [name = ""] = addressNames;
  if (name !== "" && cells.text(bytes, column)?.toLowerCase() === name.toLowerCase()) return true;
  return rule.test(
    bytes.toString("latin1", cells.start(0), Math.min(cells.end(cells.count - 1), cells.start(0) + 4096)),
  );
}

/** Number of cells of a row without the empty cells at its end. */
function widthOf(cells: CellCutter): number {
  let width = cells.count;
  while (width > 0 && cells.end(width - 1) === cells.start(width - 1)) width--;
  return width;
}

function addressesOf(
  cell: (column: number) => string | undefined,
  cells: CellCutter,
  { addressColumns, width, isMailColumn }: TablePlan,
): readonly EmailAddress[] | UnusableReason {
  let hasText = false;
  for (const column of addressColumns) {
    const text = cell(column);
    if (isAbsent(text) || text === undefined) continue;
    const found = addressesInCell(text);
    if (found.length > 0) return found;
    hasText ||= isMailColumn || text.includes("@");
  }
  const shifted = shiftedAddress(cell, cells, addressColumns[0] ?? 0, width);
  if (shifted !== null) return [shifted];
  return hasText ? "invalid_email" : "no_email";
}

/**
 * Finds an address in a shifted row: unquoted separators in an earlier cell move all later cells by the number of extra
 * cells.
 */
function shiftedAddress(
  cell: (column: number) => string | undefined,
  cells: CellCutter,
  column: number,
  width: number,
): EmailAddress | null {
  const shift = widthOf(cells) - width;
  if (shift <= 0 || isAbsent(cell(column))) return null;
  const text = cell(column + shift) ?? "";
  return isAddressCell(text) ? (addressesInCell(text)[0] ?? null) : null;
}

/** Counts the addresses of a row that are not imported. */
function countFurther(bytes: Buffer, cells: CellCutter, taken: readonly string[] | UnusableReason): number {
  if (cells.signCount === 0) return 0;
  const known = new Set<string>(typeof taken === "string" ? [] : taken);
  let count = 0;
  for (let cell = 0; cell < cells.count; cell++) {
    if (!cells.holdsSign(cell)) continue;
    for (const address of addressTextsIn(cells.text(bytes, cell) ?? "")) if (!known.has(address)) count++;
  }
  return count;
}
