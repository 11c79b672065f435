import { AddressFinder, isTopLevel } from "../address-finder.ts";
import { isLineEnd, lineEnd } from "../line-scanner.ts";
import type { FormatName, Plan, RecordReader, RecordSink } from "./format.ts";
import { isHeader, isLead, isOneSecret, isSecret, schemeStart, withoutSeparators } from "./line-shape.ts";
import { isUrl, siteOf } from "./site.ts";

/** How lines with a login and its secret are read, with or without a URL beside them. */
export type LoginPlan = Plan & {
  readonly format: "combo" | "ulp" | "list";
  /** Every line is of this format, because the operator said so; else each line says what it is. */
  readonly isForced: boolean;
  /** Most lines of three fields hold URLs or hosts, so that they need no scheme to be such. */
  readonly isBareHostAllowed: boolean;
  /** The URL stands between login and secret, which lists of addresses and profiles look like. */
  readonly isUrlInMiddle: boolean;
  /** Fields are separated by `\`, so that no letter behind one is an escape. */
  readonly hasBackslashes: boolean;
};

/** Reads combos, url:login:password lines and lists, line by line; a text can be cut at any line end. */
export function loginReader(plan: LoginPlan, sink: RecordSink, isFirst: boolean): RecordReader {
  const lines = new LoginLines(plan, sink, isFirst);
  return { read: (bytes, start, end) => lines.read(bytes, start, end), end: () => undefined };
}

const hash = 0x23;
const slash = 0x2f;
const colon = 0x3a;
const at = 0x40;

/** Blanks before a line, and the quote that some tools put there. */
const blanks = tableOf(" \t\0'");
/** Where the rest of a line ends, or may hold more than a secret. */
const restEnds = tableOf("\n\r@/");
/** The same where hosts need no scheme. */
const restEndsOfHosts = tableOf("\n\r@/.");
/** Where the search for a sign ends. */
const signEnds = tableOf("\n\r@");
/** Stand between the fields of a line with a URL. */
const delimiters = tableOf(":;|, \t");
/** Begin what is no secret, such as `null`, `(null)`, `[NOT_SAVED]`; or the secret is further on. */
const oddSecretStarts = tableOf("nN([xX\"'`:;|, \t\n\r\0");
/** Behind an address that begins a line: a separator, or the end of the line. */
const separators = tableOf(":;|, \t\n\r#~>=\\");
/** A separator and less than that is no secret, or `readLine` says what it is. */
const minSecretSize = 5;
/** Within a URL before an address that is part of it. */
const urlInside = tableOf("/=?&%");

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(letters, "latin1")) table[byte] = 1;
  return table;
}

const maxUrlSize = 2048;
/** Sites by their URLs; when it is full it is emptied. */
const maxKnownSites = 8192;
const maxKeySize = 300;

/** An address in a line; offsets count from the beginning of the line. */
type Token = { readonly start: number; readonly end: number; readonly isDoubled: boolean };
type Line = {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Each character is a byte. */
  readonly text: string;
  readonly tokens: readonly Token[];
};
type KnownUrl = { readonly isUrl: boolean; readonly site: string | null };
/** `plain`: the line is a combo. `none`: no address of it is a login. */
type Login =
  | { readonly token: Token; readonly format: FormatName | undefined; readonly site: string | null }
  | "plain"
  | "none";

class LoginLines {
  readonly #plan: LoginPlan;
  readonly #sink: RecordSink;
  readonly #finder: AddressFinder;
  readonly #comboFormat: FormatName | undefined;
  readonly #ulpFormat: FormatName | undefined;
  /** Of an address without a secret. */
  readonly #bareFormat: FormatName | undefined;
  readonly #restEnds: Uint8Array;
  readonly #urls = new Map<string, KnownUrl>();
  /** No line has been read that is more than a header. */
  #isFirst: boolean;

  constructor(plan: LoginPlan, sink: RecordSink, isFirst: boolean) {
    this.#plan = plan;
    this.#sink = sink;
    this.#finder = new AddressFinder(sink.scanner, { hasEscapes: !plan.hasBackslashes });
    this.#comboFormat = plan.format === "combo" ? undefined : "combo";
    this.#ulpFormat = plan.format === "ulp" ? undefined : "ulp";
    this.#bareFormat = plan.format === "ulp" ? "any" : undefined;
    this.#restEnds = plan.isBareHostAllowed ? restEndsOfHosts : restEnds;
    this.#isFirst = isFirst;
  }

  read(bytes: Buffer, from: number, to: number): void {
    for (let start = from; start < to; ) {
      const first = bytes[start] ?? 0;
      if (blanks[first] === 1 || isLineEnd(first)) {
        start++;
        continue;
      }
      let end = this.#scanUrlFirst(bytes, start);
      if (end >= 0) {
        this.#addScanned(this.#ulpFormat);
      } else {
        end = this.#scanAddressFirst(bytes, start);
        if (end >= 0) {
          this.#sink.scanner.setSite(null);
          this.#addScanned(this.#comboFormat);
        } else {
          end = lineEnd(bytes, start);
          this.#readLine(bytes, start, end);
        }
      }
      start = end + 1;
    }
  }

  #addScanned(format: FormatName | undefined): void {
    this.#isFirst = false;
    this.#sink.scanner.hashScanned();
    this.#sink.addScanned(format);
  }

  /** `https://site:address:secret` with one sign. Returns the end of the line, or -1. */
  #scanUrlFirst(bytes: Buffer, start: number): number {
    if (bytes[start] !== 0x68 || bytes[start + 1] !== 0x74 || bytes[start + 2] !== 0x74) return -1;
    if (this.#isComboForced()) return -1;
    const { scanner } = this.#sink;
    let sign = start;
    while (signEnds[bytes[sign] ?? 0] === 0) sign++;
    if (bytes[sign] !== at) return -1;
    let token = sign;
    while (token > start && delimiters[bytes[token - 1] ?? 0] === 0) token--;
    const tokenEnd = scanner.scanAddress(bytes, token);
    if (tokenEnd < 0 || delimiters[bytes[tokenEnd] ?? 0] === 0 || !isTopLevel(bytes, tokenEnd)) return -1;
    if (oddSecretStarts[bytes[tokenEnd + 1] ?? 0] === 1) return -1;
    let end = tokenEnd;
    while (signEnds[bytes[end] ?? 0] === 0) end++;
    if (bytes[end] === at) return -1;
    let left = token;
    while (left > start && delimiters[bytes[left - 1] ?? 0] === 1) left--;
    return left - start <= maxUrlSize && scanner.scanSite(bytes, start, left) ? end : -1;
  }

  /** `address`, a separator and a secret that holds neither a sign nor a URL. Returns the end of the line, or -1. */
  #scanAddressFirst(bytes: Buffer, start: number): number {
    const end = this.#sink.scanner.scanAddress(bytes, start);
    if (end < 0 || separators[bytes[end] ?? 0] === 0 || !isTopLevel(bytes, end)) return -1;
    const ends = this.#restEnds;
    let rest = end;
    for (;;) {
      while (ends[bytes[rest] ?? 0] === 0) rest++;
      const byte = bytes[rest] ?? 0;
      if (byte === slash && (bytes[rest - 1] !== colon || bytes[rest + 1] !== slash)) rest++;
      else if (isLineEnd(byte)) break;
      else return -1;
    }
    // Without a secret it is of another format, but not in combos.
    return this.#comboFormat !== this.#bareFormat && rest - end < minSecretSize ? -1 : rest;
  }

  #isComboForced(): boolean {
    return this.#plan.isForced && this.#plan.format !== "ulp";
  }

  /** Any line that is not of the usual forms, without its end. */
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
    if (!hasSign && this.#isNoRecord(bytes, start, end)) return;
    this.#isFirst = false;
    const takenCount =
      tokens.length === 0 ? 0 : this.#take({ bytes, start, end, text: bytes.toString("latin1", start, end), tokens });
    const furtherCount = doubtfulCount + tokens.length - takenCount;
    this.#sink.noteFurtherAddresses(furtherCount);
    if (takenCount === 0) this.#sink.add(hasSign && furtherCount === 0 ? "invalid_email" : "no_email");
  }

  /** A blank line, or one that names the fields. */
  #isNoRecord(bytes: Buffer, start: number, end: number): boolean {
    const head = bytes.toString("latin1", start, Math.min(end, start + maxUrlSize));
    if (withoutSeparators(head) === "" && end - start < maxUrlSize && !/[^\s\0\x80-\xff]/.test(head)) return true;
    return this.#isFirst && isHeader(head);
  }

  /** Adds the logins of a line; returns how many addresses were taken. */
  #take(line: Line): number {
    const login = this.#isComboForced() ? "plain" : this.#loginOf(line);
    if (login === "none") return 0;
    if (login === "plain") return this.#takeCombo(line);
    this.#add(line, login.token, login.format, login.site);
    return 1;
  }

  #loginOf({ text, tokens }: Line): Login {
    const urlAt = schemeStart(text);
    if (urlAt >= 0) return this.#loginBesideUrl(text, urlAt, tokens);
    return this.#plan.isBareHostAllowed ? this.#loginBesideHost(text, tokens) : "plain";
  }

  /** The first address; all of a line that holds nothing else, in lists. */
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
    // Another address may have been read since.
    this.#finder.find(bytes, bytes.indexOf(at, start + token.start), start, end);
    scanner.setSite(site);
    this.#addScanned(this.#isComboForced() ? undefined : format);
  }

  /** The login of a line that holds a URL with its scheme at an offset. */
  #loginBesideUrl(text: string, urlAt: number, tokens: readonly Token[]): Login {
    const [first] = tokens;
    if (first === undefined) return "none";
    if (first.end <= urlAt) {
      const middle = text.slice(first.end, urlAt);
      if (withoutSeparators(middle) !== "") {
        return isOneSecret(middle) ? this.#ulp(first, text.slice(urlAt)) : "plain";
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
    const [first] = tokens;
    if (first === undefined) return "none";
    if (withoutSeparators(text.slice(0, first.start)) !== "") {
      const lead = /^[\s"'`([{<]*/.exec(text)?.[0].length ?? 0;
      return this.#urlOf(text.slice(lead, first.start)).isUrl ? this.#loginBehind(text, lead, tokens) : "plain";
    }
    const rest = text.slice(first.end, first.end + maxUrlSize);
    for (const { index } of rest.matchAll(/[:;|,\s]+/g)) {
      if (withoutSeparators(rest.slice(0, index)) === "") continue;
      const last = rest.slice(index).replace(/^[:;|,\s"'`]+/, "");
      if (isOneField.test(last) && this.#urlOf(last).isUrl) return this.#ulp(first, last);
    }
    return "plain";
  }

  /** The login behind a URL: the address directly before the last field, or else the first one. */
  #loginBehind(text: string, urlAt: number, tokens: readonly Token[]): Login {
    const token = tokens.find(({ end }) => /^[:;|,\s][^:;|,\s]*$/.test(text.slice(end))) ?? tokens[0];
    if (token === undefined) return "none";
    const url = text.slice(urlAt, token.start);
    if (isSecret(text.slice(token.end).replace(/^@/, ""))) return this.#ulp(token, url);
    // `url:nick:address`: the address is the secret.
    return hasFieldBehindHost(url) ? "none" : { token, format: "any", site: null };
  }

  #ulp(token: Token, url: string): Login {
    return { token, format: this.#ulpFormat, site: this.#urlOf(url).site };
  }

  #urlOf(bytes: string): KnownUrl {
    const url = Buffer.from(withoutSeparators(bytes.slice(0, maxUrlSize)), "latin1").toString("utf8");
    const authorityAt = /^(?:[a-z0-9+.-]+:\/+)*/i.exec(url)?.[0].length ?? 0;
    const pathAt = url.indexOf("/", authorityAt);
    const key = pathAt === -1 || url.includes("@") ? url : url.slice(0, pathAt + 1);
    const known = this.#urls.get(key);
    if (known !== undefined) return known;
    const rules = { isBareHostAllowed: this.#plan.isBareHostAllowed };
    const found = { isUrl: isUrl(url, rules), site: siteOf(url, rules) };
    if (this.#urls.size >= maxKnownSites) this.#urls.clear();
    if (key.length <= maxKeySize) this.#urls.set(key, found);
    return found;
  }
}

const isOneField = /^[^:;|,\s]+(?::\d{1,5})?(?:\/\S*)?["'\s]*$/;

/** What stands between addresses, before the first and behind the last. */
function gapsOf(text: string, tokens: readonly Token[]): string[] {
  return [...tokens, { start: text.length, end: text.length }].map(({ start }, index) =>
    text.slice(tokens[index - 1]?.end ?? 0, start),
  );
}

/** Whether something follows the host and path of a URL that may be a field. */
function hasFieldBehindHost(url: string): boolean {
  const named = withoutSeparators(url);
  return /[:;|,\s]/.test(named.replace(/^(?:[a-z][a-z0-9+.-]*:\/\/)*[^\s/:;|,?#]*(?::\d+)?/i, ""));
}
