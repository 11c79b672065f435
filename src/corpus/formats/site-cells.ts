import type { LineScanner } from "../line-scanner.ts";
import { isAbsent, noFields, type RecordFields } from "../record.ts";
import type { CellCutter } from "./csv-cells.ts";
import type { LoginTable } from "./login-table.ts";
import { readUrl, siteOf } from "./site.ts";

type KnownUrl = { readonly isUrl: boolean; readonly site: string | null };

/** URLs by their text; when it is full it is emptied. */
const maxKnown = 4096;
const maxKeyLength = 300;
/** What some stealers write where there is no password. */
const noSecret = /^(?:\[?not_saved\]?|unknown|x{4,})$/i;

/** Reads the site of each row of a table of logins; a row without a URL or without a secret is no login at a site. */
export class SiteCells {
  readonly #scanner: LineScanner;
  readonly #table: LoginTable;
  readonly #urls = new Map<string, KnownUrl>();

  constructor(scanner: LineScanner, table: LoginTable) {
    this.#scanner = scanner;
    this.#table = table;
  }

  /** Puts the site of a row, or none where it cannot be named, into the scanner; false when the row is no login. */
  read(bytes: Buffer, cells: CellCutter): boolean {
    const { site, secret } = this.#table;
    if (site >= cells.count || secret >= cells.count || !isSecret(cells.text(bytes, secret))) return false;
    if (cells.isPlain(site) && this.#scanner.scanSite(bytes, cells.start(site), cells.end(site))) return true;
    const known = this.#urlOf(cells.text(bytes, site) ?? "");
    if (known.isUrl) this.#scanner.setSite(known.site);
    return known.isUrl;
  }

  /** The fields of a row, or null when it is no login at a site. */
  fieldsOf(cell: (column: number) => string | undefined): RecordFields | null {
    if (!isSecret(cell(this.#table.secret))) return null;
    const known = this.#urlOf(cell(this.#table.site) ?? "");
    if (!known.isUrl) return null;
    return known.site === null ? noFields : { subject: known.site };
  }

  #urlOf(text: string): KnownUrl {
    const found = this.#urls.get(text);
    if (found !== undefined) return found;
    const { isBareHostAllowed } = this.#table;
    const isOne = !isAbsent(text) && readUrl(text, { isBareHostAllowed }).isUrl;
    const known = { isUrl: isOne, site: isOne ? siteOf(text, { isBareHostAllowed }) : null };
    if (this.#urls.size >= maxKnown) this.#urls.clear();
    if (text.length <= maxKeyLength) this.#urls.set(text, known);
    return known;
  }
}

function isSecret(text: string | undefined): boolean {
  return !isAbsent(text) && !noSecret.test(text ?? "");
}
