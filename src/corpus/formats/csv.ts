import { CorpusError } from "../error.ts";
import { isAbsent, noFields, type ParsedFields, parseFields, type RawFields } from "../record.ts";
import { isAddressCell } from "./address-cells.ts";
import { addressColumnsOf, columnByWish, labelOf } from "./address-columns.ts";
import { columnName, kindOfName } from "./column-names.ts";
import type { CellCutter } from "./csv-cells.ts";
import { cutTable, type Row, type TablePlan, tablePlanOf, tableReader } from "./csv-reader.ts";
import { type CsvTable, tableOf } from "./csv-table.ts";
import { DateReader } from "./date-reader.ts";
import { isEvidenceNames } from "./evidence.ts";
import {
  commonDefaults,
  type Format,
  type OptionalField,
  optionalFields,
  type Plan,
  type RecordReader,
  type RecordSink,
  type Wishes,
} from "./format.ts";
import { type LoginTable, loginTableOf } from "./login-table.ts";
import type { Sample } from "./sample.ts";
import { SiteCells } from "./site-cells.ts";

/** Delimited tables, both evidence and other tables (docs/pipeline.md 21.5). */
export const csv: Format<CsvPlan> = {
  name: "csv",
  confidence: 0.75,
  origin: null,
  defaultsFor: commonDefaults,
  recognises: (sample, wishes) => {
    const table = tableOf(sample);
    return table !== null && isTable(table, sample, wishes) ? planOf(table, wishes) : null;
  },
  plan: (sample, wishes) => {
    const table = tableOf(sample);
    if (table === null) throw new CorpusError("refused", "the file holds no rows");
    return planOf(table, wishes) ?? refuse(table);
  },
  cut: (bytes, start, end, plan, isFirst = false) => cutTable(bytes, start, end, plan, isFirst),
  open: rowReader,
};

type CsvPlan = Plan &
  TablePlan & {
    readonly format: "csv";
    /** Columns of the optional fields to import. */
    readonly fieldColumns: Readonly<Partial<Record<OptionalField, number>>>;
    /** Set when the rows are logins at sites. */
    readonly login: LoginTable | null;
  };

function planOf(table: CsvTable, wishes: Wishes): CsvPlan | null {
  const addressColumns = wishes.column === null ? addressColumnsOf(table) : [columnByWish(table, wishes.column)];
  const [column] = addressColumns;
  if (column === undefined) return null;
  const taken = isEvidence(table) ? optionalFields : ["date" as const, ...wishes.fields];
  const fieldColumns = columnsOfFields(table, taken);
  const login = loginTableOf(table, column);
  const shown = [column, ...Object.values(fieldColumns), ...(login === null ? [] : [login.site])];
  return {
    ...tablePlanOf(table, addressColumns),
    format: "csv",
    columns: [...new Set(shown)].map((at) => labelOf(table, at)),
    fieldColumns,
    login,
  };
}

/**
 * Refuses a table without an address column. Does not quote the first row unless it is certainly a header: it may be a
 * person's record.
 */
function refuse(table: CsvTable): never {
  const { isHeaderKnown, header, width } = table;
  const columns = isHeaderKnown && header !== null ? `: ${header.map((_, at) => labelOf(table, at)).join(", ")}` : "";
  throw new CorpusError(
    "refused",
    `no column of the table holds email addresses; --column names it, by its name or by its number, 1 to ${width}${columns}`,
  );
}

/** Whether the table is evidence: made for xpose, with a severity or a URL for each address (docs/pipeline.md 21.5). */
function isEvidence({ header, isHeaderKnown }: CsvTable): boolean {
  if (header === null || !isHeaderKnown) return false;
  const names = header.map(columnName);
  while (names.at(-1) === "") names.pop();
  return isEvidenceNames(names);
}

function columnsOfFields({ header }: CsvTable, taken: readonly OptionalField[]): CsvPlan["fieldColumns"] {
  const names = (header ?? []).map(columnName);
  const columns: Partial<Record<OptionalField, number>> = {};
  for (const field of taken) {
    const at = names.indexOf(columnName(field));
    if (at !== -1) columns[field] = at;
  }
  return columns;
}

/** Share of rows with the usual width that a table recognised only by its header must have. */
const minConsistency = 0.5;
/** Without a header, fewer columns are a combo or a list. */
const minColumns = 3;

function isTable(table: CsvTable, { ending, text }: Sample, { column }: Wishes): boolean {
  const { header, isHeaderKnown, rows, width, consistency } = table;
  if (markup.test(text) || statement.test(text)) return false;
  if (column !== null && width > 1) return true;
  const columns = addressColumnsOf(table);
  const [address] = columns;
  if (address === undefined) return false;
  const hasAddress = rows.some((row) => columns.some((at) => isAddressCell(row[at] ?? "")));
  const isNamed = ending === "csv" || ending === "tsv";
  if (isHeaderKnown && (hasAddress || rows.length === 0 || isNamed)) {
    const kind = kindOfName(header?.[address] ?? "");
    const isMail = kind === "email" || kind === "mail" || (kind === "login" && loginTableOf(table, address) !== null);
    return isNamed || (isMail && consistency >= minConsistency);
  }
  if (!isNamed || !hasAddress || consistency < minConsistency) return false;
  return header !== null ? width > 1 : width >= minColumns && !hasUrls(table);
}

/** HTML and XML; SQL and programs, whose lists look like rows. */
const markup = /^\s*<(?:!doctype|\?xml|html|svg|[a-z]+[\s>])/i;
const statement =
  /^\s*(?:insert\s+into|create\s+table|copy\s+\S+.*\sfrom\s+stdin|select\s|import\s+[\w{*]|(?:const|let|var)\s|def\s|#include|using\s)/im;

/** Lines of URL, login and secret belong to another format. */
function hasUrls({ rows }: CsvTable): boolean {
  return rows.filter((row) => row.some((cell) => /^[a-z][a-z0-9+.-]*:\/\//i.test(cell))).length > rows.length / 2;
}

function rowReader(plan: CsvPlan, sink: RecordSink, isFirst: boolean): RecordReader {
  const { addressColumns, fieldColumns, login } = plan;
  const [address = 0] = addressColumns;
  const dates = new DateReader(sink);
  const sites = login === null ? null : new SiteCells(sink.scanner, login);
  const parsed = new Map<string, ParsedFields>();
  const { date: dateColumn, ...others } = fieldColumns;
  const isOnlyDate = Object.keys(others).length === 0;

  function scanRow(bytes: Buffer, cells: CellCutter): boolean {
    if (!isOnlyDate || cells.signCount !== 1 || cells.count > plan.width) return false;
    if (address >= cells.count || !cells.holdsSign(address) || !cells.isPlain(address)) return false;
    const isLogin = sites?.read(bytes, cells) ?? false;
    const hasDate = !isLogin && dateColumn !== undefined && dateColumn < cells.count;
    const date = hasDate ? dates.read(bytes, cells.start(dateColumn), cells.end(dateColumn)) : null;
    if (date === "unreadable") return false;
    if (!sink.scanner.readAddress(bytes, cells.start(address), cells.end(address))) return false;
    if (isLogin) sink.addScanned("ulp");
    else if (date === null) sink.addRead(nothing);
    else sink.addRead(date);
    return true;
  }

  /** Caches parsed fields, because evidence repeats them for many addresses. */
  function fieldsOf(row: Row): ParsedFields {
    const raw: RawFields = Object.fromEntries(
      Object.entries(fieldColumns).map(([field, column]) => [field, textOf(row.prose(column))]),
    );
    // In a shifted row a value may stand in the wrong column.
    if (row.isShifted) return { fields: noFields, droppedCount: Object.values(raw).filter(Boolean).length };
    const key = JSON.stringify(raw);
    const known = parsed.get(key) ?? parseFields(raw);
    if (parsed.size >= maxKnownFields) parsed.clear();
    if (key.length <= maxKeyLength) parsed.set(key, known);
    return known;
  }

  function readRow(row: Row): void {
    if (typeof row.addresses === "string") {
      sink.add(row.addresses);
      return;
    }
    const site = row.isShifted ? null : (sites?.fieldsOf(row.cell) ?? null);
    const { fields, droppedCount } = site === null ? fieldsOf(row) : { fields: site, droppedCount: 0 };
    for (const [index, address] of row.addresses.entries()) {
      const record = { address, fields, droppedCount: index === 0 ? droppedCount : 0 };
      sink.add(site === null ? record : { ...record, format: "ulp" });
    }
  }

  return tableReader(plan, sink, isFirst, { scanRow, readRow });
}

const nothing = new Uint8Array(0);
const maxKnownFields = 1024;
const maxKeyLength = 2048;

function textOf(cell: string | undefined): string | undefined {
  return isAbsent(cell) ? undefined : cell;
}
