import { AddressFinder, isTopLevel } from "./address-finder.ts";
import type { FormatName, Plan, RecordReader, RecordSink } from "./format.ts";
import { isLineEnd, lineEnd } from "./line-scanner.ts";
import {
  isHeader,
  isLead,
  isOneSecret,
  isSecret,
  schemeStart,
  separatorSigns,
  withoutSeparators,
  withoutSignsAround,
} from "./line-shape.ts";
import { isPublicTopLevel, readUrl, type UrlRead } from "./site.ts";

/** How to read lines with a login and its secret, with or without a URL. */
export type LoginPlan = Plan & {
  readonly format: "combo" | "ulp" | "list";
  /** Whether all lines have this format because the operator said so; otherwise each line is judged by itself. */
  readonly isForced: boolean;
  /** Whether most lines of three fields have the URL or host first, or last. There a URL needs no scheme. */
  readonly isHostFirst: boolean;
  readonly isHostLast: boolean;
  /** Whether the URL stands between login and secret. Lists of addresses and profiles look similar. */
  readonly isUrlInMiddle: boolean;
  /** Whether `\` separates fields, so that a letter after it is not an escape. */
  readonly hasBackslashes: boolean;
};

/** Reads combos, url:login:password lines and lists, line by line. A text can be cut at any line end. */
export function loginReader(plan: LoginPlan, sink: RecordSink, isFirst: boolean): RecordReader {
  const lines = new LoginLines(plan, sink, isFirst);
  return { read: (bytes, start, end) => lines.read(bytes, start, end), end: () => undefined };
}

const semicolon = 0x3b;
const hash = 0x23;
const slash = 0x2f;
const colon = 0x3a;
const at = 0x40;

/** Blanks before a line, and the quote that some tools write there. */
const blanks = tableOf(" \t\0'");
/** Bytes that end the rest of a line, or that may begin more than a secret. */
const restEnds = tableOf("\n\r@/");
/** The same for lines where hosts need no scheme. */
const restEndsOfHosts = tableOf("\n\r@/.");
/** Bytes that end the search for an at-sign. */
const signEnds = tableOf("\n\r@");
/** Separators in a line with a URL. */
const delimiters = tableOf(":;|, \t");
/**
 * First bytes of a non-secret such as `null`, `N/A` or `xxxx`, and separators that may come before the secret. The last
 * ones are first bytes of wide signs in UTF-8.
 */
const oddSecretStarts = tableOf(`nNxX-${separatorSigns}\xc2\xe2\xef`);
/** Bytes after an address at the start of a line: a separator, or the line end. */
const separators = tableOf(":;|, \t\n\r#~>=\\");
/** Bytes inside a URL before an address that is part of the URL. */
const urlInside = tableOf("/=?&%");

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(letters, "latin1")) table[byte] = 1;
  return table;
}

const maxUrlSize = 2048;

/** An address in a line. Offsets count from the start of the line. */
type Token = { readonly start: number; readonly end: number; readonly isDoubled: boolean };
type Line = {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** The line with one character per byte. */
  readonly text: string;
  readonly tokens: readonly Token[];
};
/** `plain`: the line is a combo. `none`: no address in it is a login. */
type Login =
  | { readonly token: Token; readonly format: FormatName | undefined; readonly site: string | null }
  | "plain"
  | "none";

class LoginLines {
  readonly #plan: LoginPlan;
  readonly #sink: RecordSink;
  readonly #finder: AddressFinder;
  /** Whether every line is read as a combo. */
  readonly #isComboForced: boolean;
  readonly #comboFormat: FormatName | undefined;
  readonly #ulpFormat: FormatName | undefined;
  /** The format of an address without a secret. */
  readonly #bareFormat: FormatName | undefined;
  readonly #restEnds: Uint8Array;
  /** Whether no line has been read yet, except for a header. */
  #isFirst: boolean;

  constructor(plan: LoginPlan, sink: RecordSink, isFirst: boolean) {
    this.#plan = plan;
    this.#sink = sink;
    this.#finder = new AddressFinder(sink.scanner, { hasEscapes: !plan.hasBackslashes });
    const isComboForced = plan.isForced && plan.format !== "ulp";
    this.#isComboForced = isComboForced;
    this.#comboFormat = plan.format === "combo" || isComboForced ? undefined : "combo";
    this.#ulpFormat = plan.format === "ulp" ? undefined : "ulp";
    this.#bareFormat = plan.format === "ulp" ? "any" : undefined;
    this.#restEnds = plan.isHostLast ? restEndsOfHosts : restEnds;
    this.#isFirst = isFirst;
  }

  read(bytes: Buffer, from: number, to: number): void {
    for (let start = from; start < to; ) {
      const first = bytes[start] ?? 0;
      if (blanks[first] === 1 || isLineEnd(first)) {
        start++;
        continue;
      }
      const blankSize = first < 0x80 ? 0 : wideBlankSize(bytes, start);
      if (blankSize > 0) {
        start += blankSize;
        continue;
      }
      let end = this.#scanUrlFirst(bytes, start);
      if (end < 0) end = this.#scanAddressFirst(bytes, start);
      if (end < 0) end = this.#scanCombo(bytes, start);
      if (end < 0) {
        end = lineEnd(bytes, start);
        this.#readLine(bytes, start, end);
      }
      start = end + 1;
    }
  }

  #addScanned(format: FormatName | undefined): void {
    this.#isFirst = false;
    this.#sink.scanner.hashScanned();
    this.#sink.addScanned(format);
  }

  /**
   * Fast path for `https://site:address:secret`, with or without the scheme, with a single at-sign. Returns the end of
   * the line, or -1 for other forms.
   */
  #scanUrlFirst(bytes: Buffer, start: number): number {
    const isHttp = bytes[start] === 0x68 && bytes[start + 1] === 0x74 && bytes[start + 2] === 0x74;
    if (this.#isComboForced || !(isHttp || this.#plan.isHostFirst)) return -1;
    const { scanner } = this.#sink;
    let sign = start;
    while (signEnds[bytes[sign] ?? 0] === 0) sign++;
    if (bytes[sign] !== at) return -1;
    let token = sign;
    while (token > start && delimiters[bytes[token - 1] ?? 0] === 0) token--;
    let left = token;
    while (left > start && delimiters[bytes[left - 1] ?? 0] === 1) left--;
    if (left === start || left - start > maxUrlSize) return -1;
    const tokenEnd = scanner.scanAddress(bytes, token);
    if (tokenEnd < 0 || delimiters[bytes[tokenEnd] ?? 0] === 0 || !isTopLevel(bytes, tokenEnd)) return -1;
    // A semicolon may end `&amp;`.
    if (oddSecretStarts[bytes[tokenEnd + 1] ?? 0] === 1 || bytes[token - 1] === semicolon) return -1;
    let end = tokenEnd;
    while (signEnds[bytes[end] ?? 0] === 0) end++;
    if (bytes[end] === at) return -1;
    let url = start;
    let isKnown = this.#plan.isHostFirst ? isPublicTopLevel : null;
    if (isHttp) {
      const host = bytes[start + 4] === 0x73 ? start + 8 : start + 7;
      const pathAt = bytes.indexOf(slash, host);
      if (pathAt < 0 || pathAt >= left) {
        // May be `https://user:password@host`, unless the text after the scheme is certainly a host.
        if (isPortAndPath(bytes, tokenEnd)) return -1;
        url = host;
        isKnown = isPublicTopLevel;
      }
    }
    if (!scanner.scanSite(bytes, url, left, isKnown) && (url !== start || !this.#setSiteOf(bytes, start, left))) {
      return -1;
    }
    this.#addScanned(this.#ulpFormat);
    return end;
  }

  /** Puts the site of a URL into the scanner; false when the range does not begin with a URL. */
  #setSiteOf(bytes: Buffer, start: number, end: number): boolean {
    const { isUrl, site } = urlOf(bytes.toString("latin1", start, end));
    this.#sink.scanner.setSite(site);
    return isUrl;
  }

  /**
   * Fast path for `address:secret`, with no at-sign in the secret, and for `address:secret:https://site`. Returns the
   * end of the line, or -1 for other forms.
   */
  #scanAddressFirst(bytes: Buffer, start: number): number {
    const end = this.#sink.scanner.scanAddress(bytes, start);
    if (end < 0 || separators[bytes[end] ?? 0] === 0 || !isTopLevel(bytes, end)) return -1;
    const rest = this.#restEnd(bytes, end);
    if (bytes[rest] === slash && bytes[end] === colon) return this.#scanUrlLast(bytes, end, rest - 1);
    // Without a secret the line has another format, except in combo lists.
    const isDoubtful = this.#comboFormat !== this.#bareFormat && oddSecretStarts[bytes[end + 1] ?? 0] === 1;
    if (!isLineEnd(bytes[rest] ?? 0) || (rest > end && isDoubtful)) return -1;
    this.#sink.scanner.setSite(null);
    this.#addScanned(rest === end ? this.#bareFormat : this.#comboFormat);
    return rest;
  }

  /** The second form, from the separator after the address; `schemeEnd` is the colon of the scheme. */
  #scanUrlLast(bytes: Buffer, start: number, schemeEnd: number): number {
    if (this.#isComboForced) return -1;
    let url = schemeEnd;
    while (url > start && isLetter(bytes[url - 1] ?? 0)) url--;
    // With several separators `readLine` decides which belong to the secret.
    if (url - 1 <= start + 1 || bytes[url - 1] !== colon || oddSecretStarts[bytes[start + 1] ?? 0] === 1) return -1;
    for (let from = start + 1; from < url - 1; from++) if ((bytes[from] ?? 0) <= 0x22) return -1;
    let end = schemeEnd;
    while (signEnds[bytes[end] ?? 0] === 0) end++;
    if (bytes[end] === at) return -1;
    if (!this.#sink.scanner.scanSite(bytes, url, end) && !this.#setSiteOf(bytes, url, end)) return -1;
    this.#addScanned(this.#ulpFormat);
    return end;
  }

  /**
   * Fast path for combos with the address in any field, and for lines without an at-sign. Returns the end of the line,
   * or -1.
   */
  #scanCombo(bytes: Buffer, start: number): number {
    if (this.#plan.format !== "combo") return -1;
    const sign = this.#restEnd(bytes, start);
    const byte = bytes[sign] ?? 0;
    if (isLineEnd(byte)) {
      if (this.#isFirst) return -1;
      this.#sink.add("no_email");
      return sign;
    }
    if (byte !== at) return -1;
    const rest = this.#restEnd(bytes, sign + 1);
    if (!isLineEnd(bytes[rest] ?? 0)) return -1;
    if (this.#finder.find(bytes, sign, start, rest) !== "address" || this.#finder.isDoubled) return -1;
    this.#sink.scanner.setSite(null);
    this.#addScanned(this.#comboFormat);
    return rest;
  }

  /** The first line end, at-sign or URL from `start` on. */
  #restEnd(bytes: Buffer, start: number): number {
    const ends = this.#restEnds;
    let rest = start;
    for (;;) {
      while (ends[bytes[rest] ?? 0] === 0) rest++;
      if (bytes[rest] !== slash || (bytes[rest - 1] === colon && bytes[rest + 1] === slash)) return rest;
      rest++;
    }
  }

  /** Reads a line of any other form; `end` is its line end. */
  #readLine(bytes: Buffer, start: number, end: number): void {
    const tokens: Token[] = [];
    let hasSign = false;
    let doubtfulCount = 0;
    for (let sign = bytes.indexOf(at, start); sign >= 0 && sign < end; sign = bytes.indexOf(at, sign + 1)) {
      hasSign = true;
      const found = this.#finder.find(bytes, sign, start, end);
      if (found === "doubtful") doubtfulCount++;
      if (found !== "address") continue;
      tokens.push({
        start: this.#finder.start - start,
        end: this.#finder.end - start,
        isDoubled: this.#finder.isDoubled,
      });
    }
    if (!hasSign && this.#isFirst && isHeader(bytes.toString("latin1", start, Math.min(end, start + maxUrlSize))))
      return;
    this.#isFirst = false;
    const takenCount =
      tokens.length === 0 ? 0 : this.#take({ bytes, start, end, text: bytes.toString("latin1", start, end), tokens });
    const furtherCount = doubtfulCount + tokens.filter(({ isDoubled }) => !isDoubled).length - takenCount;
    this.#sink.noteFurtherAddresses(furtherCount);
    if (takenCount === 0) this.#sink.add(hasSign && furtherCount === 0 ? "invalid_email" : "no_email");
  }

  /** Adds the logins of a line; returns the number of addresses used. */
  #take(line: Line): number {
    const login = this.#isComboForced ? "plain" : this.#loginOf(line);
    if (login === "none") return 0;
    if (login === "plain") return this.#takeCombo(line);
    this.#add(line, login.token, login.format, login.site);
    return 1;
  }

  #loginOf({ text, tokens }: Line): Login {
    const urlAt = schemeStart(text);
    if (urlAt >= 0) return this.#loginBesideUrl(text, urlAt, tokens);
    return this.#plan.isHostFirst || this.#plan.isHostLast ? this.#loginBesideHost(text, tokens) : "plain";
  }

  /** Adds the first address; in lists all addresses of a line that contains nothing else. */
  #takeCombo(line: Line): number {
    const tokens = line.tokens.filter(({ isDoubled }) => !isDoubled);
    const [first] = tokens;
    if (first === undefined) return 0;
    const isBare = gapsOf(line.text, tokens).every((gap) => withoutSeparators(gap) === "");
    const taken = isBare && this.#plan.format === "list" ? tokens : [first];
    for (const token of taken) this.#add(line, token, isBare ? this.#bareFormat : this.#comboFormat, null);
    return taken.length;
  }

  #add({ bytes, start, end }: Line, token: Token, format: FormatName | undefined, site: string | null): void {
    const { scanner } = this.#sink;
    // Read again: the finder may hold another address by now.
    this.#finder.find(bytes, bytes.indexOf(at, start + token.start), start, end);
    scanner.setSite(site);
    this.#addScanned(format);
  }

  /** The login of a line whose URL with a scheme begins at `urlAt`. */
  #loginBesideUrl(text: string, urlAt: number, tokens: readonly Token[]): Login {
    const [first] = tokens;
    if (first === undefined) return "none";
    if (first.end <= urlAt) {
      const middle = text.slice(first.end, urlAt);
      if (withoutSeparators(middle) !== "") {
        if (!isOneSecret(middle)) return "plain";
        return isSecret(middle) ? this.#ulp(first, text.slice(urlAt)) : { token: first, format: "any", site: null };
      }
      const [url = "", secret = ""] = text.slice(urlAt).split(/[\s|]+/, 2);
      return this.#plan.isUrlInMiddle && isSecret(secret) ? this.#ulp(first, url) : "plain";
    }
    if (!isLead(text.slice(0, urlAt))) return "plain";
    const outside = tokens.filter(({ start, isDoubled }) => {
      const before = text.charCodeAt(start - 1);
      return start > urlAt && urlInside[before] === 0 && (!isDoubled || before === hash);
    });
    return this.#loginBehind(text, urlAt, outside);
  }

  /** The login of a line whose URL or host has no scheme. */
  #loginBesideHost(text: string, tokens: readonly Token[]): Login {
    const { isHostFirst, isHostLast } = this.#plan;
    const [first] = tokens;
    if (first === undefined) return "none";
    if (withoutSeparators(text.slice(0, first.start)) !== "") {
      const lead = /^[\s"'`([{<]*/.exec(text)?.[0].length ?? 0;
      const isHost = isHostFirst && urlOf(text.slice(lead, first.start)).isUrl;
      return isHost ? this.#loginBehind(text, lead, tokens) : "plain";
    }
    if (!isHostLast) return "plain";
    const rest = text.slice(first.end, first.end + maxUrlSize);
    for (const { index } of rest.matchAll(/[:;|,\s]+/g)) {
      if (withoutSeparators(rest.slice(0, index)) === "") continue;
      const last = rest.slice(index).replace(/^[:;|,\s"'`]+/, "");
      if (isOneField.test(last) && urlOf(last).isUrl) return this.#ulp(first, last);
    }
    return "plain";
  }

  /** The login after a URL: the address directly before the last field, otherwise the first address. */
  #loginBehind(text: string, urlAt: number, tokens: readonly Token[]): Login {
    const token = tokens.find(({ end }) => /^[:;|,\s][^:;|,\s]*$/.test(text.slice(end))) ?? tokens[0];
    if (token === undefined) return "none";
    const url = text.slice(urlAt, token.start);
    if (isUserIn(url)) return "none";
    if (isSecret(text.slice(token.end).replace(/^@/, ""))) return this.#ulp(token, url);
    // `url:nick:address`: here the address is the secret.
    return hasFieldBehindHost(url) ? "none" : { token, format: "any", site: null };
  }

  /** Reads the site. Callers pass a URL without a scheme only where that is allowed. */
  #ulp(token: Token, url: string): Login {
    return { token, format: this.#ulpFormat, site: urlOf(url).site };
  }
}

const isOneField = /^[^:;|,\s]+(?::\d{1,5})?(?:\/\S*)?["'\s]*$/;

/** Size of U+FEFF, U+200B or U+00A0 at an offset; 0 for other characters. */
function wideBlankSize(bytes: Uint8Array, start: number): number {
  const [first, second, third] = [bytes[start], bytes[start + 1], bytes[start + 2]];
  if (first === 0xc2 && second === 0xa0) return 2;
  const isBlank =
    (first === 0xef && second === 0xbb && third === 0xbf) || (first === 0xe2 && second === 0x80 && third === 0x8b);
  return isBlank ? 3 : 0;
}

function isAscii(text: string): boolean {
  return !/[\x80-\xff]/.test(text);
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** Reads a URL given with one character per byte. The URL may lack a scheme. */
function urlOf(bytes: string): UrlRead {
  const url = withoutSignsAround(bytes.slice(0, maxUrlSize));
  const text = isAscii(url) ? url : Buffer.from(url, "latin1").toString("utf8");
  return readUrl(text, { isBareHostAllowed: true });
}

/** The texts before, between and after the addresses. */
function gapsOf(text: string, tokens: readonly Token[]): string[] {
  return [...tokens, { start: text.length, end: text.length }].map(({ start }, index) =>
    text.slice(tokens[index - 1]?.end ?? 0, start),
  );
}

/** Whether `:8080/path` follows, after the possible host of a URL with a user. */
function isPortAndPath(bytes: Uint8Array, start: number): boolean {
  let end = start;
  if (bytes[end] === colon) end++;
  while ((bytes[end] ?? 0) >= 0x30 && (bytes[end] ?? 0) <= 0x39) end++;
  return bytes[end] === slash || bytes[end] === 0x3f;
}

/** Whether a URL without a path may be the user part of another, as in `https://jane.doe:secret@host`. */
function isUserIn(url: string): boolean {
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/\\]*)$/i.exec(withoutSignsAround(url)) ?? [];
  const isClear = authority === undefined || /[\s|;,"'>]$/.test(url);
  return !isClear && !readUrl(authority, { isBareHostAllowed: true }).isUrl;
}

/** Whether a possible field follows the host and path of a URL. */
function hasFieldBehindHost(url: string): boolean {
  const named = withoutSeparators(url);
  return /[:;|,\s]/.test(named.replace(/^(?:[a-z][a-z0-9+.-]*:\/\/)*[^\s/:;|,?#]*(?::\d+)?/i, ""));
}
