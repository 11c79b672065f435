import { trimBlanks } from "../address.ts";
import { type AddressIn, addressesIn } from "./addresses-in.ts";
import { isClosedHost, readUrl } from "./site.ts";

/**
 * What the fields of a line are:
 *
 * - `urlFirst`, `urlLast`: a login and its secret behind or before a URL with a scheme; `hostFirst`, `hostLast`: the
 *   same with what may be a host; `closedFirst`, `closedLast`: with a host of a closed network, which is no site
 * - `urlMiddle`: login, URL and what may be a secret
 * - `combo`: an address and a secret; `prefixCombo`, `suffixCombo`: with further fields before or behind
 * - `nick`: fields without an address
 * - `bare`: addresses and nothing else
 * - `urlLogin`: URL and address; `link`: a URL alone
 * - `label`: an address behind its name, and no secret in the line
 * - `columns`: a row of a table; `text`: prose, logs and the like, with an address
 * - `other`: anything without an address
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

/** A longer line is judged by its beginning. */
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

/** A tag of HTML or XML, and not `<jane.doe@example.com>`. */
const markup = /<[/!?]?[a-z][a-z0-9:]*(?:\s[^<>@]*)?\/?>/i;
const nickLine = /^[^\s:;|,]+\s?[:;|]\s?\S+$/;

/** `[HIT]`, `12.`, `- `, quotes and brackets; the label of the first field. */
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

/** Where the first scheme of a line begins, or -1. */
export function schemeStart(line: string): number {
  const start = schemeBefore(line, "://");
  // As JSON may write it.
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

/** A line that begins with a URL. Which `:` is the first behind the path cannot be known. */
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

/** Fields between separators that are more than blanks. */
function fieldsOf(text: string): string[] {
  return text.split(/\s*["']?(?:[:;|,\t]|-{4,})["']?\s*/).filter((part) => part !== "");
}

/** Commas, semicolons, TABs and bars also separate columns: of names, cities and profiles. */
function isTable(text: string, fields: readonly string[]): boolean {
  const separator = /[:;|,\t]|-{4}/.exec(text.trim().replace(/^["']+/, ""))?.[0] ?? ":";
  if (separator === ":" || separator === "----") return false;
  return fields.length > 3 || !looksMade(fields[1] ?? "");
}

/** A line that ends with a URL; null when the URL is not a field of its own. */
function shapeBeforeUrl(line: string, schemeAt: number, address: AddressIn | undefined): LineShape | null {
  const before = line.slice(0, schemeAt);
  const isAddressed = address !== undefined && address.start < schemeAt;
  // Or a nickname.
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

/** Signs and digits: no name, no word. */
function looksMade(secret: string): boolean {
  return /\d/.test(secret) && /\D/.test(secret) && !/^\+?[\d\s().-]+$/.test(secret);
}

/** A line of three fields or more whose first or last one could be a host; null when there is none. */
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

/** The name of a field that holds an address, and what stands behind it. */
const addressLabel =
  /(?:^|[\s|;,{"'([])(?:e-?mails?|mail|address|e-?mail address|login|user(?:name)?|account|from|to|cc|bcc|reply-to|sender|contact|TYPE=\w+)["']?\s*[:=]\s*["'<[(]*$/i;
const secretLabel = /(?:^|[\s|;,{"'])(?:pass(?:word|wd)?|pwd|pw|hash|secret)["']?\s*[:=]/i;
const labelled = /^[\p{L} _-]{2,20}\s*[:=]\s/u;

/** Between an address and a secret; blanks alone are a weak separator. */
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
  // One leak has bars between hyphens where others have colons.
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

/** Stand around fields; what is between them is one. */
export const separatorSigns = "\0\t\n\r \"'`:;|,<>()[]{}=~#\\/";
const wideSigns = "\u00a0\u200b\ufeff：；｜，";
const separatorCodes: ReadonlySet<number> = new Set(
  Array.from(`${separatorSigns}${wideSigns}`, (sign) => sign.charCodeAt(0)),
);
/** Without what a URL may end with. */
const signsAroundUrl: ReadonlySet<number> = new Set([...separatorCodes].filter((code) => code !== 0x2f));
/** The same where each character is a byte of UTF-8. */
const wideBytes = Array.from(wideSigns, (sign) => Buffer.from(sign).toString("latin1"));
const firstWideBytes: ReadonlySet<number> = new Set(wideBytes.map((bytes) => bytes.charCodeAt(0)));
const lastWideBytes: ReadonlySet<number> = new Set(wideBytes.map((bytes) => bytes.charCodeAt(bytes.length - 1)));

/** Text without what separates fields at its ends: the text itself, or its bytes as characters. */
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

/** A run of hyphens is a separator too. */
const maxHyphens = 16;

/** What stands where nothing is known (docs/corpus-formats.md 2). */
export const noSecret = /^(?:null|\(?null\)?|n\/a|x{3,}|\[?not_saved\]?)$/i;

/** Whether a text behind a login holds a secret. */
export function isSecret(text: string): boolean {
  const secret = withoutSeparators(withoutSeparators(text).replace(/^(?:pass(?:word|wd)?|pwd|pw)["']?\s*[:=]/i, ""));
  return secret !== "" && !noSecret.test(secret);
}

/**
 * Whether what stands between a login and a URL is one field between separators: not the beginning of a secret that
 * holds a URL, and not the balance and the plan of an account as well.
 */
export function isOneSecret(middle: string): boolean {
  if (!/^["'`>)\]}]*(?:[\s\0:;|,~#=>\\]|--|[\x80-\uffff])/.test(middle)) return false;
  if (!/[\s:;|,"'`=]$/.test(middle) || /&#?\w+;$/.test(middle)) return false;
  const named = middle.replace(/["'`\s]*(?:url|uri|host|site|link)?["'`\s:=]{0,8}$/i, "");
  const separator = /[|;,\t]$/.exec(middle.trimEnd())?.[0];
  const secret = withoutSeparators(named);
  return separator === undefined ? !/\s/.test(secret) : !secret.includes(separator);
}

/** What may stand before the URL of a line: quotes, a number, a mark such as `[HIT]`, the name of the field. */
export function isLead(text: string): boolean {
  return text.length <= maxLead && withoutSeparators(withoutLead(`${text}x://x`)) === "x://x";
}

const maxLead = 64;

const headerWord =
  "e-?mail(?: ?address)?|mail|login|user(?: ?name)?|url|uri|host|site|pass(?:word|wd)?|pwd|hash|salt|id|ip|name";
const header = new RegExp(`^["'\\s]*(?:${headerWord})["'\\s]*(?:[:;|,\\t]["'\\s]*(?:${headerWord})["'\\s]*)*$`, "i");

/** A first line that only names the fields. */
export function isHeader(line: string): boolean {
  return line.length < 200 && header.test(line);
}
