import { isAbsent } from "../record.ts";
import { kindOfName } from "./column-names.ts";
import type { CsvTable } from "./csv-table.ts";
import { readUrl } from "./site.ts";

/** Where a table of logins, as browsers, password managers and stealers write it, has the site and the secret. */
export type LoginTable = {
  readonly site: number;
  readonly secret: number;
  /** Most rows hold URLs or hosts there, so that a host needs no scheme. */
  readonly isBareHostAllowed: boolean;
};

/**
 * The columns of a table whose rows are logins at sites, or null (docs/pipeline.md 21.4): it has a column of URLs, one of
 * passwords in clear and one of logins, and none that tables of people have. There a URL is a homepage.
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

/** Stealers and browsers have passwords in clear. */
const hash = /^(?:[0-9a-f]{32,128}|\$(?:[0-9a-z]{1,8}|argon2\w*)\$.+|\{\w+\}.+|\*[0-9A-F]{40})$/i;
