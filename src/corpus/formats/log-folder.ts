import type { FormatName } from "./format.ts";
import type { Sample } from "./sample.ts";

/**
 * The reason to leave out a file of a folder or archive that may contain addresses; null when it is imported
 * (docs/pipeline.md 21.8). A stealer's log keeps cookies and forms beside the passwords, and sellers add notes. The
 * content decides first: a file of logins is imported under any name, and cookies are left out under any name. The file
 * name counts only if the content is neither. Other files are not considered, so the answer does not depend on the
 * folder or the order.
 *
 * `path` is relative to the folder. `format` is the format detected from the content, or null.
 */
export function reasonToLeaveOut(path: string, sample: Sample, format: FormatName | null): string | null {
  const lines = sample.lines.slice(0, maxLines).map((line) => line.slice(0, maxLineLength));
  const text = lines.join("\n");
  if (isCookies(lines, text)) return "cookies";
  if (isForm(lines)) return "autofill data";
  if (format !== null && holdsLogins[format]) return null;
  if (text.startsWith("#!")) return "a script";
  const isTable = format === "csv" || format === "jsonl";
  if (isTable && secretColumn.test(format === "csv" ? (lines[0] ?? "") : text)) return null;
  const kind = kindOf(path);
  if (kind === undefined || (isTable && !kind.isOfBrowser)) return null;
  return kind.speaksFor(lines, format) ? kind.reason : null;
}

const maxLines = 100;
const maxLineLength = 1000;

/** Whether each line of a format contains a secret or the name of a leak. */
const holdsLogins: Readonly<Record<FormatName, boolean>> = {
  combo: true,
  ulp: true,
  stealer: true,
  dehashed: true,
  "hibp-domain": true,
  csv: false,
  jsonl: false,
  list: false,
  any: false,
};

const secretColumn = /pass|pwd|senha|contrase|kennwort|hash|secret|пароль|parola|şifre/i;

/** Lines of a Netscape cookie file, or JSON of a browser extension. */
const cookieLine = /^\S*\t(?:TRUE|FALSE)\t[^\t]*\t(?:TRUE|FALSE)\t\d+/i;
const cookieMember = /"(?:httpOnly|hostOnly|sameSite|expirationDate|isHttpOnly)"\s*:/;

function isCookies(lines: readonly string[], text: string): boolean {
  if (isMost(lines, (line) => cookieLine.test(line))) return true;
  return /^\s*[[{]/.test(text) && cookieMember.test(text) && /"domain"\s*:/.test(text) && !/"e-?mail"\s*:/i.test(text);
}

const formName = /^\W{0,4}(?:name|form|field)\s*[:=]/i;
const formValue = /^\W{0,4}value\s*[:=]/i;
const formLine = /^\W{0,4}(?:name|form|field)\s*[:=].*\bvalue\s*[:=]/i;

/** Whether the lines are pairs of a form field's name and its value. */
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
  /** Matches the file name without ending and separators; see `plainName`. */
  readonly name: RegExp;
  /** Whether a folder above the file may have this name instead. */
  readonly isFolder: boolean;
  /** Whether a browser or system writes this kind, so that its tables are left out too. */
  readonly isOfBrowser: boolean;
  /** Whether the content is compatible with the name. */
  readonly speaksFor: (lines: readonly string[], format: FormatName | null) => boolean;
};

type SpeaksFor = Kind["speaksFor"];

/**
 * Whether few lines hold an address, or the file is small. A larger text with an address in most lines is data under
 * any name.
 */
const isSparse: SpeaksFor = (lines) => lines.length < 10 || !isMost(lines, (line) => line.includes("@"));
const isNoList: SpeaksFor = (lines, format) => format !== "list" && isSparse(lines, format);
const isOfUrls: SpeaksFor = (lines) => isMost(lines, (line) => line.includes("://") || label.test(line));
const isOfSystem: SpeaksFor = (lines, format) => format !== "list" && lines.some((line) => systemLabel.test(line));
/** Some secrets look like addresses, so a share of them is tolerated. */
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

/** Endings of files that may be what their name or folder says. Tables and dumps are not among them. */
const textEndings = /\.(?:txt|log|html?|md|nfo|rtf|json|csv|tsv)$/;

function kindOf(path: string): Kind | undefined {
  const folders = path.toLowerCase().split("/");
  const file = folders.pop() ?? "";
  const isText = textEndings.test(file) || !/\.[a-z0-9]{1,5}$/.test(file);
  const files = [plainName(file), ...(isText ? [plainName(file.replace(textEndings, ""))] : [])];
  const all = isText ? [...files, ...folders.map(plainName)] : files;
  return kinds.find(({ name, isFolder }) => (isFolder ? all : files).some((one) => name.test(one)));
}

/** Reduces `_AllCookies_list` and `All Cookies List` to one name. */
function plainName(name: string): string {
  return name.replace(/[\s_\-!()[\]]+/g, "");
}
