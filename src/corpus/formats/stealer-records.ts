import { AddressFinder, isTopLevel } from "./address-finder.ts";
import type { RecordSink } from "./format.ts";
import { noSecret } from "./line-shape.ts";
import { readUrl, type UrlRead } from "./site.ts";
import type { EntrySink, LoginEntry, Range } from "./stealer-blocks.ts";

export type RecordRules = {
  /** Whether the text is a stealer log, not just a list of labelled logins. */
  readonly isLog: boolean;
};

const at = 0x40;
/** First bytes of a non-secret such as `null`, `(null)` or `[NOT_SAVED]`. */
const oddSecretStarts = tableOf("nNxX([");
/** Characters around a value. */
const wrappers = tableOf("\0\t \"'`,;|");

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(letters)) table[byte] = 1;
  return table;
}

const maxUrlSize = 2048;
const maxLoginSize = 1024;

/**
 * Turns logins into records. A login with a secret is `stealer` if the text is a stealer log or a site or program
 * stands beside the login, otherwise `combo`. Without a secret only the address counts, as `any` (docs/pipeline.md
 * 21.4).
 */
export function stealerRecords({ isLog }: RecordRules, sink: RecordSink): EntrySink {
  const { scanner } = sink;
  // Values contain no escapes: `\nina` in `CORP\nina.doe@example.com` is a name.
  const finder = new AddressFinder(scanner, { hasEscapes: false });

  function add(bytes: Buffer, entry: LoginEntry): void {
    const { login, otherLogin } = entry;
    trim(bytes, login);
    trim(bytes, otherLogin);
    const hasSecret = entry.hasSecret && isSecret(bytes, entry.secret);
    if (!hasSecret && !(entry.hasSite && entry.hasLogin)) {
      // A seller's contact, or a line of a secret that looks like a label.
      noteText(bytes, login.start, login.end);
      noteText(bytes, otherLogin.start, otherLogin.end);
      return;
    }
    const taken = readLogin(bytes, login) ? login : readLogin(bytes, otherLogin) ? otherLogin : null;
    if (taken === null) {
      const furtherCount = countAddresses(bytes, login) + countAddresses(bytes, otherLogin);
      sink.noteFurtherAddresses(furtherCount);
      const hasSign = holdsSign(bytes, login) || holdsSign(bytes, otherLogin);
      sink.add(hasSign && furtherCount === 0 ? "invalid_email" : "no_email");
      return;
    }
    scanner.hashScanned();
    const hasUrl = readSite(bytes, entry, hasSecret);
    const isStolen = isLog || hasUrl || entry.hasSoftware;
    sink.addScanned(hasSecret ? (isStolen ? undefined : "combo") : "any");
    if (taken === login && isAll(login) && isSame(bytes, login, otherLogin)) return;
    sink.noteFurtherAddresses(Math.max(0, countAddresses(bytes, login) + countAddresses(bytes, otherLogin) - 1));
  }

  /** Where the address that was used ends. */
  let takenEnd = 0;

  function isAll({ end }: Range): boolean {
    return takenEnd === end;
  }

  /** Reads the address in the value of a login into the scanner. */
  function readLogin(bytes: Buffer, { start, end }: Range): boolean {
    if (start === end) return false;
    takenEnd = scanner.scanAddress(bytes, start);
    if (takenEnd === end && isTopLevel(bytes, end)) return true;
    takenEnd = -1;
    if (end - start > maxLoginSize) return false;
    for (let sign = nextSign(bytes, start, end); sign < end; sign = nextSign(bytes, sign + 1, end)) {
      if (finder.find(bytes, sign, start, end) !== "address" || finder.isDoubled) continue;
      const before = bytes.toString("latin1", start, finder.start);
      const behind = bytes.toString("latin1", finder.end, end);
      if (lead.test(before) && rest.test(behind)) return true;
    }
    return false;
  }

  /** Puts the site into the scanner. Returns whether there is a URL; a URL may have no site. */
  function readSite(bytes: Buffer, entry: LoginEntry, isWanted: boolean): boolean {
    const { site, otherSite, port } = entry;
    scanner.setSite(null);
    if (!entry.hasSite) return false;
    trim(bytes, site);
    const isKept = isWanted && !entry.isSiteDoubtful;
    if (otherSite.start === otherSite.end && scanner.scanSite(bytes, site.start, site.end)) {
      if (!isKept) scanner.setSite(null);
      return true;
    }
    const first = siteIn(bytes, site, port);
    if (otherSite.start === otherSite.end) {
      scanner.setSite(isKept ? first.site : null);
      return first.isUrl;
    }
    trim(bytes, otherSite);
    const second = siteIn(bytes, otherSite, port);
    // Between separators both sites belong to this login.
    const one = entry.isAlone ? (first.site ?? second.site) : first.site === second.site ? first.site : null;
    scanner.setSite(isKept ? one : null);
    return first.isUrl || second.isUrl;
  }

  function siteIn(bytes: Buffer, { start, end }: Range, port: Range) {
    const url = bytes.toString("latin1", start, Math.min(end, start + maxUrlSize));
    const found = urlIn(url);
    if (found.site !== null || port.start === port.end) return found;
    const number = /^\d{1,5}/.exec(bytes.toString("latin1", port.start, Math.min(port.end, port.start + 5)))?.[0];
    return number === undefined || !/^[\w.-]+$/.test(url) ? found : urlIn(`${url}:${number}`);
  }

  function countAddresses(bytes: Buffer, { start, end }: Range): number {
    let count = 0;
    for (let sign = nextSign(bytes, start, end); sign < end; sign = nextSign(bytes, sign + 1, end)) {
      if (finder.find(bytes, sign, start, end) !== "none") count++;
    }
    return count;
  }

  function noteText(bytes: Buffer, start: number, end: number): void {
    // The at-sign in `android://key@com.example.app/` belongs to no address.
    const from = isAppUrl(bytes, start) ? nextSign(bytes, start, end) + 1 : start;
    if (from < end) sink.noteFurtherAddresses(countAddresses(bytes, { start: from, end }));
  }

  function noteLongLine(bytes: Buffer, start: number, end: number): void {
    sink.add("too_long");
    noteText(bytes, start, end);
  }

  return { add, noteText, noteLongLine };
}

/** Text allowed before the address of a login: `mailto:`, brackets, a name before brackets, `CORP\`. */
const lead = /^(?:[\s"'`<[({]*(?:mailto:\s*)?|[^@]*[<[(]\s*|["']?[\w .-]{1,64}\\)$/i;
/** Text allowed after it: brackets, quotes, and a remark after a blank or a separator. */
const rest = /^["'`>)\]}]*(?:$|[\s,;|/([<])/;

function isSecret(bytes: Buffer, range: Range): boolean {
  trim(bytes, range);
  const { start, end } = range;
  if (start === end) return false;
  if (oddSecretStarts[bytes[start] ?? 0] === 0 || end - start > 16) return true;
  return !noSecret.test(bytes.toString("latin1", start, end));
}

/** Whether the second of two ranges is empty or has the same text. */
function isSame(bytes: Buffer, { start, end }: Range, other: Range): boolean {
  const size = other.end - other.start;
  return size === 0 || (size === end - start && bytes.compare(bytes, other.start, other.end, start, end) === 0);
}

function holdsSign(bytes: Buffer, { start, end }: Range): boolean {
  return nextSign(bytes, start, end) < end;
}

/** The offset of the next at-sign in a range, or its end. `indexOf` would search the whole block. */
function nextSign(bytes: Buffer, start: number, end: number): number {
  let sign = start;
  while (sign < end && bytes[sign] !== at) sign++;
  return sign;
}

/** Trims the characters around a value. */
function trim(bytes: Buffer, range: Range): void {
  while (range.start < range.end && wrappers[bytes[range.start] ?? 0] === 1) range.start++;
  while (range.end > range.start && wrappers[bytes[range.end - 1] ?? 0] === 1) range.end--;
}

const appScheme = Buffer.from("android://");

function isAppUrl(bytes: Buffer, start: number): boolean {
  let from = start;
  while (wrappers[bytes[from] ?? 0] === 1) from++;
  for (let index = 0; index < appScheme.length; index++) {
    if (((bytes[from + index] ?? 0) | 0x20) !== ((appScheme[index] ?? 0) | 0x20)) return false;
  }
  return true;
}

/** Reads a URL given with one character per byte. */
function urlIn(bytes: string): UrlRead {
  return readUrl(Buffer.from(bytes, "latin1").toString("utf8"), { isBareHostAllowed: true });
}
