import { trimBlanks } from "../address.ts";
import { type AddressIn, addressesIn } from "./addresses-in.ts";
import { isClosedHost, readUrl } from "./site.ts";

/**
 * The shape of a line, from its fields:
 *
 * - `urlFirst`, `urlLast`: a login and its secret after or before a URL with a scheme; `hostFirst`, `hostLast`: the
 *   same with a possible host instead; `closedFirst`, `closedLast`: with a host of a closed network, which is not a
 *   site
 * - `urlMiddle`: login, URL and a possible secret
 * - `combo`: an address and a secret; `prefixCombo`, `suffixCombo`: with further fields before or after
 * - `nick`: fields without an address
 * - `bare`: addresses and nothing else
 * - `urlLogin`: URL and address; `link`: a URL alone
 * - `label`: an address after its label, without a secret in the line
 * - `columns`: a row of a table; `text`: prose, logs and similar text with an address
 * - `other`: anything else without an address
 */
export type LineShape =
  | "urlFirst"
  | "urlLast"
  | "hostFirst"
  | "hostLast"
  | "closedFirst"
  | "closedLast"
  | "urlMiddle"
  | "combo"
  | "prefixCombo"
  | "suffixCombo"
  | "nick"
  | "bare"
  | "urlLogin"
  | "link"
  | "label"
  | "columns"
  | "text"
  | "other";

/** The part of a line that decides its shape. */
const maxLength = 4096;

export function shapeOf(raw: string): LineShape {
  const line = withoutLead(trimBlanks(raw.slice(0, maxLength)));
  const schemeAt = schemeStart(line);
  if (schemeAt === 0) return shapeBehindUrl(line);
  const addresses = addressesIn(line);
  const [first] = addresses;
  if (schemeAt > 0) {
    const shape = shapeBeforeUrl(line, schemeAt, first);
    if (shape !== null) return shape;
  }
  const hosted = shapeBesideHost(line);
  if (hosted !== null) return hosted;
  if (first !== undefined && markup.test(line)) return "text";
  if (first === undefined) return nickLine.test(line) && !labelled.test(line) ? "nick" : "other";
  return shapeAround(line, first, addresses);
}

/** A tag of HTML or XML, but not `<jane.doe@example.com>`. */
const markup = /<[/!?]?[a-z][a-z0-9:]*(?:\s[^<>@]*)?\/?>/i;
const nickLine = /^[^\s:;|,]+\s?[:;|]\s?\S+$/;

/** Removes a lead such as `[HIT]`, `12.`, `- `, quotes, brackets, or the label of the first field. */
function withoutLead(line: string): string {
  return line
    .replace(/^\[[\w +-]{1,20}\]\s*/, "")
    .replace(/^(?:\d{1,9}[.)]\s+|[-*•+>–—]\s+)/u, "")
    .replace(/^["'`([{<\s]+/, "")
    .replace(
      /^(?:url|uri|host(?:name)?|web(?:site)?|site|link|domain|origin)["']?\s*[:=]\s*["']?(?=[a-z][a-z0-9+.-]*:\/\/)/i,
      "",
    );
}

/** The start of the first scheme in a line, or -1. */
export function schemeStart(line: string): number {
  const start = schemeBefore(line, "://");
  // JSON may escape the slashes.
  return start === -1 ? schemeBefore(line, ":\\/\\/") : start;
}

function schemeBefore(line: string, mark: string): number {
  for (let at = line.indexOf(mark); at >= 0; at = line.indexOf(mark, at + 1)) {
    let start = at;
    while (start > 0 && at - start < maxSchemeLength && /[a-z0-9+.-]/i.test(line.charAt(start - 1))) start--;
    while (start < at && !/[a-z]/i.test(line.charAt(start))) start++;
    if (start < at) return start;
  }
  return -1;
}

const maxSchemeLength = 30;

/** The shape of a line that begins with a URL. Which `:` ends the path is ambiguous. */
function shapeBehindUrl(line: string): LineShape {
  const rest = line.replace(/^(?:[a-z][a-z0-9+.-]*:\/+)+[^\s/:;|,?#"']*(?::\d{1,5}(?![^\s/:;|,"']))?/i, "");
  if (/#[^\s@]+@[^\s@]+@\S+$/.test(rest)) return "urlFirst";
  const behindPath = rest.replace(/^["']?\/[^\s:;|,]*/, "").trim();
  const fields = fieldsOf(behindPath);
  const [login = "", secret = ""] = fields;
  if (fields.length >= 2) return isTable(behindPath, fields) ? "columns" : "urlFirst";
  const [, blankLogin = login, blankSecret = secret, more] = /^(\S+)\s+(\S+)(\s.*)?$/.exec(behindPath) ?? [];
  if (fields.length < 2 && blankSecret !== "" && more === undefined)
    return looksMade(blankSecret) ? "urlFirst" : "columns";
  return blankLogin.includes("@") ? "urlLogin" : "link";
}

/** Splits a text into fields at separators other than blanks. */
function fieldsOf(text: string): string[] {
  return text.split(/\s*["']?(?:[:;|,\t]|-{4,})["']?\s*/).filter((part) => part !== "");
}

/**
 * Whether the fields are columns of a table. Commas, semicolons, TABs and bars also separate names, cities and
 * profiles.
 */
function isTable(text: string, fields: readonly string[]): boolean {
  const separator = /[:;|,\t]|-{4}/.exec(text.trim().replace(/^["']+/, ""))?.[0] ?? ":";
  if (separator === ":" || separator === "----") return false;
  return fields.length > 3 || !looksMade(fields[1] ?? "");
}

/** The shape of a line that ends with a URL; null when the URL is not a separate field. */
function shapeBeforeUrl(line: string, schemeAt: number, address: AddressIn | undefined): LineShape | null {
  const before = line.slice(0, schemeAt);
  const isAddressed = address !== undefined && address.start < schemeAt;
  // Without an address the login is a nickname.
  const loginEnd = isAddressed ? address.end : (/^[^\s:;|,]+/.exec(before)?.[0].length ?? 0);
  if (loginEnd === 0 || (isAddressed && withoutSeparators(before.slice(0, address.start)) !== "")) return null;
  const middle = before.slice(loginEnd);
  if (withoutSeparators(middle) !== "") {
    if (!isOneSecret(middle)) return null;
    return /:\s*["']?$/.test(before) || looksMade(withoutSeparators(middle)) ? "urlLast" : "columns";
  }
  const [, secret = "", more] = line.slice(schemeAt).split(/[\s|]+/);
  if (more === undefined && looksMade(secret)) return "urlMiddle";
  return isAddressed ? "urlLogin" : "other";
}

/** Whether a text mixes digits with other characters, unlike a name, a word or a phone number. */
function looksMade(secret: string): boolean {
  return /\d/.test(secret) && /\D/.test(secret) && !/^\+?[\d\s().-]+$/.test(secret);
}

/** The shape of a line with at least three fields whose first or last may be a host; null when neither is. */
function shapeBesideHost(line: string): LineShape | null {
  const fields = line.split(/\s*["']?[:;|,\t ]["']?\s*/).filter((part) => part !== "");
  if (fields.length < 3) return null;
  const [first = "", second = ""] = fields;
  const hasPort = /^\d{1,5}(?:\/\S*)?$/.test(second);
  const left = hostKind(hasPort ? `${first}:${second}` : first);
  const rest = fields.slice(hasPort ? 2 : 1);
  if (left !== null && rest.length >= 2) return isTable(line.slice(first.length), rest) ? "columns" : `${left}First`;
  const hasLastPort = /^\d{1,5}(?:\/\S*)?$/.test(fields.at(-1) ?? "");
  const last = fields.slice(hasLastPort ? -2 : -1);
  const right = hostKind(last.join(":").replace(/["'\s]+$/, ""));
  if (right === null || fields.length - last.length < 2) return null;
  return isTable(line, fields.slice(0, -last.length)) ? "columns" : `${right}Last`;
}

function hostKind(text: string): "host" | "closed" | null {
  if (!text.includes(".") || text.includes("@")) return null;
  if (isClosedHost(text)) return "closed";
  return readUrl(text, { isBareHostAllowed: true }).isUrl ? "host" : null;
}

/** The label of a field that holds an address, up to the value. */
const addressLabel =
  /(?:^|[\s|;,{"'([])(?:e-?mails?|mail|address|e-?mail address|login|user(?:name)?|account|from|to|cc|bcc|reply-to|sender|contact|TYPE=\w+)["']?\s*[:=]\s*["'<[(]*$/i;
const secretLabel = /(?:^|[\s|;,{"'])(?:pass(?:word|wd)?|pwd|pw|hash|secret)["']?\s*[:=]/i;
const labelled = /^[\p{L} _-]{2,20}\s*[:=]\s/u;

/** Separators between an address and a secret. Blanks alone are only a weak separator. */
const separatorBehind = /^["'`>)\]}]*\s*(?:[:;|,=~#>\\/：；｜，]|-{2,}|-\|-|[-–—]\s)/u;
const separatorBefore = /(?:[:;|,~#>\\：；｜，]|-{2,}|\|-)\s*["'`<([]*$/u;

function shapeAround(line: string, first: AddressIn, addresses: readonly AddressIn[]): LineShape {
  const left = line.slice(0, first.start);
  const right = line.slice(first.end);
  const gaps = [left, ...addresses.map(({ end }, index) => line.slice(end, addresses[index + 1]?.start))];
  if (gaps.every((gap) => withoutSeparators(gap) === "")) return "bare";
  const rest = gaps.join(" ");
  if (addressLabel.test(left)) return secretLabel.test(right) || secretLabel.test(left) ? "combo" : "label";
  if (/[=?&]["'<]?$/.test(left)) return "label";
  const count = (text: string, pattern: RegExp) => (text.match(pattern) ?? []).length;
  // One leak writes `-|-` where others write a colon.
  const inner = withoutSeparators(rest).replace(/-+\|-*|\|-+/g, ":");
  if (count(inner, /[,\t]/g) > 1 || count(inner, /[;|]/g) > 4) return "columns";
  if (count(left.trim(), /\s+/g) > 2) return "text";
  const isBehind = separatorBehind.test(right);
  const isLong = count(right.trim(), /\s+/g) > 4 && !right.includes("|");
  if (withoutSeparators(left) === "") {
    if (isBehind) return isLong ? "text" : count(right, /[:;|]/g) > 1 ? "suffixCombo" : "combo";
    return /^["'`>)\]]*[\s\0]+\S+$/.test(right) ? "combo" : "text";
  }
  if (!separatorBefore.test(left) || isLong) return "text";
  return isBehind || withoutSeparators(right) === "" ? "prefixCombo" : "text";
}

/** Characters around and between fields. */
export const separatorSigns = "\0\t\n\r \"'`:;|,<>()[]{}=~#\\/";
const wideSigns = "\u00a0\u200b\ufeff：；｜，";
const separatorCodes: ReadonlySet<number> = new Set(
  Array.from(`${separatorSigns}${wideSigns}`, (sign) => sign.charCodeAt(0)),
);
/** Without the slash, which may end a URL. */
const signsAroundUrl: ReadonlySet<number> = new Set([...separatorCodes].filter((code) => code !== 0x2f));
/** The wide signs as bytes of UTF-8, one character per byte. */
const wideBytes = Array.from(wideSigns, (sign) => Buffer.from(sign).toString("latin1"));
const firstWideBytes: ReadonlySet<number> = new Set(wideBytes.map((bytes) => bytes.charCodeAt(0)));
const lastWideBytes: ReadonlySet<number> = new Set(wideBytes.map((bytes) => bytes.charCodeAt(bytes.length - 1)));

/** Trims separators at both ends of a text, or of its bytes as characters. */
export function withoutSeparators(text: string): string {
  return trimmed(text, separatorCodes);
}

/** The same for a URL, which may end with a slash. */
export function withoutSignsAround(url: string): string {
  return trimmed(url, signsAroundUrl);
}

function trimmed(text: string, separators: ReadonlySet<number>): string {
  let start = 0;
  let end = text.length;
  for (;;) {
    const code = text.charCodeAt(start);
    if (start === end) return "";
    if (separators.has(code)) start++;
    else if (firstWideBytes.has(code)) {
      const size = wideBytes.find((bytes) => text.startsWith(bytes, start))?.length ?? 0;
      if (size === 0) break;
      start = Math.min(end, start + size);
    } else break;
  }
  for (; end > start; ) {
    const code = text.charCodeAt(end - 1);
    if (separators.has(code)) end--;
    else if (lastWideBytes.has(code)) {
      const size = wideBytes.find((bytes) => text.endsWith(bytes, end) && end - bytes.length >= start)?.length ?? 0;
      if (size === 0) break;
      end -= size;
    } else break;
  }
  const field = text.slice(start, end);
  return /^[-–—]+$/.test(field) && field.length <= maxHyphens ? "" : field;
}

/** A run of hyphens up to this length counts as a separator. */
const maxHyphens = 16;

/** Values that stand for "no password" (docs/corpus-formats.md 2). */
export const noSecret = /^(?:null|\(?null\)?|n\/a|x{3,}|\[?not_saved\]?)$/i;

/** Whether the text after a login holds a secret. */
export function isSecret(text: string): boolean {
  const secret = withoutSeparators(withoutSeparators(text).replace(/^(?:pass(?:word|wd)?|pwd|pw)["']?\s*[:=]/i, ""));
  return secret !== "" && !noSecret.test(secret);
}

/**
 * Whether the text between a login and a URL is exactly one field: not the start of a secret that contains a URL, and
 * not several fields, such as the balance and the plan of an account.
 */
export function isOneSecret(middle: string): boolean {
  if (!/^["'`>)\]}]*(?:[\s\0:;|,~#=>\\]|--|[\x80-\uffff])/.test(middle)) return false;
  if (!/[\s:;|,"'`=]$/.test(middle) || /&#?\w+;$/.test(middle)) return false;
  const named = middle.replace(/["'`\s]*(?:url|uri|host|site|link)?["'`\s:=]{0,8}$/i, "");
  const separator = /[|;,\t]$/.exec(middle.trimEnd())?.[0];
  const secret = withoutSeparators(named);
  return separator === undefined ? !/\s/.test(secret) : !secret.includes(separator);
}

/** Whether a text may stand before the URL of a line: quotes, a number, a mark such as `[HIT]`, or a label. */
export function isLead(text: string): boolean {
  return text.length <= maxLead && withoutSeparators(withoutLead(`${text}x://x`)) === "x://x";
}

const maxLead = 64;

const headerWord =
  "e-?mail(?: ?address)?|mail|login|user(?: ?name)?|url|uri|host|site|pass(?:word|wd)?|pwd|hash|salt|id|ip|name";
const header = new RegExp(`^["'\\s]*(?:${headerWord})["'\\s]*(?:[:;|,\\t]["'\\s]*(?:${headerWord})["'\\s]*)*$`, "i");

/** Whether a first line only names the fields. */
export function isHeader(line: string): boolean {
  return line.length < 200 && header.test(line);
}
