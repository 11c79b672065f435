import type { FormatName } from "./format.ts";
import type { Sample } from "./sample.ts";

/**
 * Why a file of a folder or archive is not read though it may hold addresses: a stealer's log keeps cookies, forms and the
 * like beside the passwords, and sellers add notes; or null when it is read (docs/pipeline.md 21.8). The content decides: a
 * file of logins is read whatever its name, cookies are not whatever theirs. The name counts where the content is neither.
 * No other file matters, so that the answer is the same in every folder and order.
 *
 * `path` is relative to the folder; `format` is the one that the content speaks for, null for none.
 */
export function reasonToLeaveOut(path: string, sample: Sample, format: FormatName | null): string | null {
  const lines = sample.lines.slice(0, maxLines).map((line) => line.slice(0, maxLineLength));
  const text = lines.join("\n");
  if (isCookies(lines, text)) return "cookies";
  if (isForm(lines)) return "autofill data";
  if (format !== null && loginFormats.has(format)) return null;
  if (text.startsWith("#!")) return "a script";
  const isTable = format === "csv" || format === "jsonl";
  if (isTable && secretColumn.test(format === "csv" ? (lines[0] ?? "") : text)) return null;
  const kind = kindOf(path);
  if (kind === undefined || (isTable && !kind.isOfBrowser)) return null;
  return kind.speaksFor(lines, format) ? kind.reason : null;
}

const maxLines = 100;
const maxLineLength = 1000;

/** Lines of these formats hold a secret or the name of a leak. */
const loginFormats: ReadonlySet<FormatName> = new Set(["combo", "ulp", "stealer", "dehashed", "hibp-domain"]);

const secretColumn = /pass|pwd|senha|contrase|kennwort|hash|secret|пароль|parola|şifre/i;

/** The lines that Netscape's programs wrote, or JSON of an extension. */
const cookieLine = /^\S*\t(?:TRUE|FALSE)\t[^\t]*\t(?:TRUE|FALSE)\t\d+/i;
const cookieMember = /"(?:httpOnly|hostOnly|sameSite|expirationDate|isHttpOnly)"\s*:/;

function isCookies(lines: readonly string[], text: string): boolean {
  if (isMost(lines, (line) => cookieLine.test(line))) return true;
  return /^\s*[[{]/.test(text) && cookieMember.test(text) && /"domain"\s*:/.test(text) && !/"e-?mail"\s*:/i.test(text);
}

const formName = /^\W{0,4}(?:name|form|field)\s*[:=]/i;
const formValue = /^\W{0,4}value\s*[:=]/i;
const formLine = /^\W{0,4}(?:name|form|field)\s*[:=].*\bvalue\s*[:=]/i;

/** Pairs of the name of a field and what was typed in. */
function isForm(lines: readonly string[]): boolean {
  const pairs = lines.filter(
    (line, index) => formLine.test(line) || (formName.test(line) && formValue.test(lines[index + 1] ?? "")),
  );
  return pairs.length > 0 && pairs.length * 3 >= lines.length;
}

function isMost(lines: readonly string[], is: (line: string) => boolean): boolean {
  return lines.length > 0 && lines.filter(is).length * 2 >= lines.length;
}

type Kind = {
  readonly reason: string;
  /** The name of the file without its ending; see `plainName`. */
  readonly name: RegExp;
  /** Or of a folder above it. */
  readonly isFolder: boolean;
  /** Kept by a browser or a system: tables of it are left out too. */
  readonly isOfBrowser: boolean;
  /** Whether the content does not speak against the name. */
  readonly speaksFor: (lines: readonly string[], format: FormatName | null) => boolean;
};

type SpeaksFor = Kind["speaksFor"];

/** A text in which most lines hold an address is data whatever its name, unless it is small. */
const isSparse: SpeaksFor = (lines) => lines.length < 10 || !isMost(lines, (line) => line.includes("@"));
const isNoList: SpeaksFor = (lines, format) => format !== "list" && isSparse(lines, format);
const isOfUrls: SpeaksFor = (lines) => isMost(lines, (line) => line.includes("://") || label.test(line));
const isOfSystem: SpeaksFor = (lines, format) => format !== "list" && lines.some((line) => systemLabel.test(line));
/** Some secrets look like addresses. */
const isOfSecrets: SpeaksFor = (lines) =>
  lines.filter((line) => bareAddress.test(line)).length < lines.length * maxSecretShare;
const always: SpeaksFor = () => true;

const maxSecretShare = 0.8;
const label = /^\W{0,4}[a-z][a-z ]{1,20}:\s/i;
const bareAddress = /^\s*["'<]?[^\s@]+@[^\s@]+\.[^\s@]+["'>,;]?\s*$/;
const systemLabel =
  /^\W{0,6}(?:hwid|machine ?id|uid|build ?id|computer(?: ?name)?|pc name|user ?name|ip(?: ?address)?|os|country|log date|system|installed (?:apps|software)|process list)\b.{0,40}[:\]]/i;

const kinds: readonly Kind[] = [
  { reason: "cookies", name: /^(?:all)?cookies?(?:list)?$/, isFolder: true, isOfBrowser: true, speaksFor: isSparse },
  {
    reason: "autofill data",
    name: /^(?:all|important)?(?:autofills?|forms?)(?:list|data)?$/,
    isFolder: true,
    isOfBrowser: true,
    speaksFor: isSparse,
  },
  {
    reason: "browsing history",
    name: /^(?:all|browser|web|url)?(?:histor(?:y|ies)|downloads?|bookmarks?)(?:list)?$/,
    isFolder: true,
    isOfBrowser: true,
    speaksFor: isOfUrls,
  },
  {
    reason: "payment cards",
    name: /^(?:all)?(?:creditcards?|cc|cards)(?:list)?$/,
    isFolder: true,
    isOfBrowser: true,
    speaksFor: isSparse,
  },
  {
    reason: "information about a system",
    name: /^(?:user|system|pc|machine|computer|hardware|device|host)?info(?:rmation)?s?$/,
    isFolder: false,
    isOfBrowser: true,
    speaksFor: isOfSystem,
  },
  {
    reason: "a list of programs",
    name: /^(?:installed)?(?:software|programs|apps|applications|browsers|extensions|process(?:es)?|tasks?)(?:list)?$/,
    isFolder: false,
    isOfBrowser: true,
    speaksFor: isNoList,
  },
  {
    reason: "a list of domains",
    name: /^(?:important)?domains?detects?$/,
    isFolder: false,
    isOfBrowser: true,
    speaksFor: isSparse,
  },
  {
    reason: "wallets",
    name: /^(?:all)?(?:wallets?|seeds?)(?:list)?$/,
    isFolder: true,
    isOfBrowser: true,
    speaksFor: isSparse,
  },
  { reason: "a clipboard", name: /^clipboards?$/, isFolder: false, isOfBrowser: true, speaksFor: isSparse },
  {
    reason: "a list of secrets",
    name: /^(?:all|brute|bare)?(?:brute|brutelist|passwords?|passwds?|pass|pwds?|secrets|wordlist|dictionary|words)(?:list|only)?$/,
    isFolder: false,
    isOfBrowser: false,
    speaksFor: isOfSecrets,
  },
  {
    reason: "a file of the owner of the machine",
    name: /^(?:file)?grabb(?:er|ed)(?:files)?$/,
    isFolder: true,
    isOfBrowser: false,
    speaksFor: always,
  },
  {
    reason: "a note",
    name: /^(?:readme.*|licen[cs]e|copying|copyrights?|credits?|authors?|changelog|notes?|contact|contactus|about|disclaimer|rules|faq|howto.*|instructions?|important|telegram.*|channel.*|news)$/,
    isFolder: false,
    isOfBrowser: false,
    speaksFor: isNoList,
  },
  {
    reason: "a script",
    name: /^[^/]*\.(?:sh|bash|bat|cmd|ps1|py|rb|pl|php|js|mjs|ts|lua|vbs|go|c|h|cpp|java)$/,
    isFolder: false,
    isOfBrowser: false,
    speaksFor: isSparse,
  },
];

/** Files that may be what their name or folder says. Tables and dumps are not. */
const textEndings = /\.(?:txt|log|html?|md|nfo|rtf|json|csv|tsv)$/;

function kindOf(path: string): Kind | undefined {
  const folders = path.toLowerCase().split("/");
  const file = folders.pop() ?? "";
  const isText = textEndings.test(file) || !/\.[a-z0-9]{1,5}$/.test(file);
  const files = [plainName(file), ...(isText ? [plainName(file.replace(textEndings, ""))] : [])];
  const all = isText ? [...files, ...folders.map(plainName)] : files;
  return kinds.find(({ name, isFolder }) => (isFolder ? all : files).some((one) => name.test(one)));
}

/** `_AllCookies_list` and `All Cookies List` are one name. */
function plainName(name: string): string {
  return name.replace(/[\s_\-!()[\]]+/g, "");
}
