import { addressOf } from "../address.ts";
import { CorpusError } from "../error.ts";
import { isAddressCell } from "./address-cells.ts";
import { columnName, isSecondName, kindOfName, type NameKind } from "./column-names.ts";
import type { CsvTable } from "./csv-table.ts";

type Column = {
  readonly at: number;
  readonly name: string;
  readonly kind: NameKind;
  readonly isSecond: boolean;
  /** Sampled rows with an address in this column, and sampled rows with any value in it. */
  readonly addressCount: number;
  readonly filledCount: number;
  readonly differentCount: number;
};

/**
 * The columns that hold the address of a row, best first; the first column with an address in a row counts. Prefers a
 * column named after addresses that holds some and does not name another person. Empty when there is none. Never a
 * column named like a secret (docs/pipeline.md 21.5).
 */
export function addressColumnsOf(table: CsvTable): number[] {
  const columns = columnsOf(table);
  const mails = columns.filter(({ kind }) => kind === "email" || kind === "mail").sort(byFitness);
  const logins = columns.filter(({ kind, addressCount }) => kind === "login" && addressCount > 0).sort(byFitness);
  const others = columns.filter(isFullOfAddresses).sort(byFitness);
  const hasMail = mails.some(({ addressCount }) => addressCount > 0);
  const [first] = hasMail ? mails : [...logins, ...others, ...mails];
  if (first === undefined) return [];
  if (!table.isHeaderKnown) return [first.at];
  return [first, ...mails, ...logins].map(({ at }) => at).filter((at, index, all) => all.indexOf(at) === index);
}

/**
 * The column named by the operator. Throws `CorpusError`; its message never quotes a row that may be a person's record.
 */
export function columnByWish(table: CsvTable, wish: string): number {
  const { header, isHeaderKnown, width } = table;
  if (/^\d{1,6}$/.test(wish.trim())) {
    const number = Number(wish);
    if (number >= 1 && number <= width) return number - 1;
    throw new CorpusError("refused", `there is no column ${number}: the table has ${width} columns`);
  }
  const names = header ?? [];
  const same = names.findIndex((name) => name.trim().toLowerCase() === wish.trim().toLowerCase());
  const at = same === -1 ? names.findIndex((name) => columnName(name) === columnName(wish)) : same;
  if (at !== -1) return at;
  const exist = isHeaderKnown
    ? `its columns are ${names.map((_, column) => labelOf(table, column)).join(", ")}`
    : `the table has no header; give the number of the column, 1 to ${width}`;
  throw new CorpusError("refused", `there is no column of that name: ${exist}`);
}

/** The label of a column in reports: its name if the header is certain, otherwise its number. */
export function labelOf({ header, isHeaderKnown }: CsvTable, column: number): string {
  const name = header?.[column]?.trim() ?? "";
  return isHeaderKnown && plainName.test(name) ? name : `column ${column + 1}`;
}

/** A value that slipped into the header may have any form; such a label is not shown. */
const plainName = /^\p{L}[\p{L}\p{M} ._-]{0,39}$/u;

function columnsOf({ header, isHeaderKnown, rows, width }: CsvTable): Column[] {
  return Array.from({ length: width }, (_, at) => {
    const cells = rows.map((row) => row[at] ?? "").filter((cell) => cell !== "");
    const addresses = cells.filter(isAddressCell);
    const name = header?.[at] ?? "";
    return {
      at,
      name,
      kind: isHeaderKnown ? kindOfName(name) : "other",
      isSecond: isHeaderKnown && isSecondName(name),
      addressCount: addresses.length,
      filledCount: cells.length,
      differentCount: new Set(addresses.map((cell) => addressOf(cell) ?? cell)).size,
    };
  });
}

/** A column without a telling name must hold addresses in most rows. */
function isFullOfAddresses({ kind, addressCount, filledCount }: Column): boolean {
  const mayBe = kind === "other" || kind === "person";
  return mayBe && addressCount > 0 && addressCount >= filledCount / 2;
}

function byFitness(a: Column, b: Column): number {
  return (
    Number(b.addressCount > 0) - Number(a.addressCount > 0) ||
    Number(a.isSecond) - Number(b.isSecond) ||
    Number(b.kind === "email") - Number(a.kind === "email") ||
    b.addressCount - a.addressCount ||
    b.differentCount - a.differentCount ||
    a.at - b.at
  );
}
