// Types of what is embedded or has none of its own.

declare module "*.sql" {
  const text: string;
  export default text;
}

/** Written by the build: the files of the dashboard, see http/dashboard-files.ts. */
declare module "*.bundle" {
  const text: string;
  export default text;
}

declare module "*.py" {
  const text: string;
  export default text;
}

declare module "tr46" {
  type Options = {
    checkBidi: boolean;
    checkHyphens: boolean;
    checkJoiners: boolean;
    useSTD3ASCIIRules: boolean;
    transitionalProcessing: boolean;
    verifyDNSLength: boolean;
  };
  const tr46: {
    toASCII(domain: string, options: Options): string | null;
    toUnicode(domain: string, options: Options): { domain: string; error: boolean };
  };
  export default tr46;
}

declare module "better-sqlite3/linux-x64" {
  type Value = string | number | bigint | Uint8Array | null;
  type Values = readonly Value[] | [Readonly<Record<string, Value>>];
  /** A prepared statement whose rows have the shape `Row`; only the caller's SQL can promise that. */
  export interface Statement<Parameters extends Values = Value[], Row = unknown> {
    run(...parameters: Parameters): { changes: number; lastInsertRowid: number | bigint };
    get(...parameters: Parameters): Row | undefined;
    all(...parameters: Parameters): Row[];
    iterate(...parameters: Parameters): IterableIterator<Row>;
    /** Rows become the value of their one column: `Row` is its type. */
    pluck(): this;
  }
  export default class Database {
    constructor(path: string, options?: { readonly?: boolean; fileMustExist?: boolean; timeout?: number });
    /** The path that it was opened with. */
    readonly name: string;
    readonly open: boolean;
    readonly inTransaction: boolean;
    prepare<Parameters extends Values = Value[], Row = unknown>(sql: string): Statement<Parameters, Row>;
    exec(sql: string): this;
    pragma(sql: string, options?: { simple?: boolean }): unknown;
    /** Copies into a file; `progress` returns how many pages the next step copies. */
    backup(
      path: string,
      options: { progress: (state: { totalPages: number; remainingPages: number }) => number },
    ): Promise<unknown>;
    close(): this;
  }
  export class SqliteError extends Error {
    readonly code: string;
  }
}

declare module "better-sqlite3/linux-arm64" {
  export { default, SqliteError } from "better-sqlite3/linux-x64";
}
