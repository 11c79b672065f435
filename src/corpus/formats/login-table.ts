import { isAbsent } from "../record.ts";
import { kindOfName } from "./column-names.ts";
import type { CsvTable } from "./csv-table.ts";
import { readUrl } from "./site.ts";

/** The site and password columns of a table of logins, as written by browsers, password managers and stealers. */
export type LoginTable = {
  readonly site: number;
  readonly secret: number;
  /** Whether most rows have URLs or hosts in the site column, so that a host needs no scheme. */
  readonly isBareHostAllowed: boolean;
};

/**
 * The login columns of a table whose rows are logins at sites, or null (docs/pipeline.md 21.4). The table needs a
 * column of URLs, one of clear-text passwords and one of logins. It must have no column typical of tables about people,
 * where a URL is a homepage.
 */
export function loginTableOf({ header, isHeaderKnown, rows }: CsvTable, login: number): LoginTable | null {
  if (header === null || !isHeaderKnown) return null;
  const kinds = header.map(kindOfName);
  const own = kinds.indexOf("login_site");
  const site = own === -1 ? kinds.indexOf("site") : own;
  const secret = kinds.indexOf("password");
  if (site === -1 || secret === -1 || login === site || login === secret) return null;
  if (own === -1 && (kinds.includes("person") || kinds.includes("hash"))) return null;
  const urls = cellsOf(rows, site);
  const urlCount = urls.filter((cell) => readUrl(cell, { isBareHostAllowed: true }).isUrl).length;
  const hashes = cellsOf(rows, secret).filter((cell) => hash.test(cell));
  if (urlCount < urls.length / 2 || (hashes.length > 0 && hashes.length >= rows.length / 2)) return null;
  return { site, secret, isBareHostAllowed: urlCount > urls.length / 2 };
}

function cellsOf(rows: CsvTable["rows"], column: number): string[] {
  return rows.map((row) => row[column] ?? "").filter((cell) => !isAbsent(cell));
}

/** Hashes, not clear text. Stealers and browsers store clear-text passwords. */
const hash = /^(?:[0-9a-f]{32,128}|\$(?:[0-9a-z]{1,8}|argon2\w*)\$.+|\{\w+\}.+|\*[0-9A-F]{40})$/i;
