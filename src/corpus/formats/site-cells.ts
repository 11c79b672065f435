import { isAbsent, noFields, type RecordFields } from "../record.ts";
import type { CellCutter } from "./csv-cells.ts";
import type { LineScanner } from "./line-scanner.ts";
import type { LoginTable } from "./login-table.ts";
import { readUrl, type UrlRead } from "./site.ts";

/** Written by some stealers in place of a missing password. */
const noSecret = /^(?:\[?not_saved\]?|unknown|x{4,})$/i;

/** Reads the site of each row of a table of logins. A row without a URL or a secret is not a login at a site. */
export class SiteCells {
  readonly #scanner: LineScanner;
  readonly #table: LoginTable;

  constructor(scanner: LineScanner, table: LoginTable) {
    this.#scanner = scanner;
    this.#table = table;
  }

  /** Puts the site of a row into the scanner, or no site if it cannot be named. False when the row is not a login. */
  read(bytes: Buffer, cells: CellCutter): boolean {
    const { site, secret } = this.#table;
    if (site >= cells.count || secret >= cells.count || !isSecret(cells.text(bytes, secret))) return false;
    if (cells.isPlain(site) && this.#scanner.scanSite(bytes, cells.start(site), cells.end(site))) return true;
    const url = this.#urlIn(cells.text(bytes, site));
    if (url.isUrl) this.#scanner.setSite(url.site);
    return url.isUrl;
  }

  /** The fields of a row; null when it is not a login at a site. */
  fieldsOf(cell: (column: number) => string | undefined): RecordFields | null {
    if (!isSecret(cell(this.#table.secret))) return null;
    const url = this.#urlIn(cell(this.#table.site));
    if (!url.isUrl) return null;
    return url.site === null ? noFields : { subject: url.site };
  }

  #urlIn(text: string | undefined): UrlRead {
    const { isBareHostAllowed } = this.#table;
    return isAbsent(text) ? { isUrl: false, site: null } : readUrl(text ?? "", { isBareHostAllowed });
  }
}

function isSecret(text: string | undefined): boolean {
  return !isAbsent(text) && !noSecret.test(text ?? "");
}
