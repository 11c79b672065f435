import { isSensitiveSite } from "../../domain/sensitive-site.ts";
import { domainOf, trimBlanks } from "../address.ts";

export type SiteRules = {
  /**
   * Whether a host without scheme, path and port may count as a site. True only in a file where most lines have URLs or
   * hosts in the same place.
   */
  readonly isBareHostAllowed: boolean;
};

/**
 * The site of a URL or host: its domain in A-labels without `www.`, or the package name of an Android app, or null.
 * Scheme, user, port and path are dropped. In doubt there is no site: when the host is an IP address, could be the name
 * of a user or a file, looks like a secret, or is sensitive (docs/pipeline.md 21.4 and 21.17). Without a scheme the
 * host must be under a public suffix.
 */
export function siteOf(text: string, rules: SiteRules): string | null {
  return readUrl(text, rules).site;
}

/** The site, and whether the text is a URL. A text may be a URL, or count as one for sites, without naming a site. */
export type UrlRead = { readonly site: string | null; readonly isUrl: boolean };

/** Cache capacity. Files name the same sites over and over. A full cache is cleared. */
const maxKnown = 32_768;
const maxKnownLength = 200;
const knownSchemed = new Map<string, UrlRead>();
const knownBare = new Map<string, UrlRead>();

export function readUrl(text: string, rules: SiteRules): UrlRead {
  // Only the text before the path matters, unless a user part is possible.
  const pathAt = text.indexOf("/", text.lastIndexOf("://") + 3);
  const start = pathAt === -1 || /[@\\]/.test(text) ? text : text.slice(0, pathAt + 1);
  const known = rules.isBareHostAllowed ? knownBare : knownSchemed;
  const before = known.get(start);
  if (before !== undefined) return before;
  const found = readUnknown(start, rules);
  if (known.size >= maxKnown) known.clear();
  if (start.length <= maxKnownLength) known.set(start, found);
  return found;
}

function readUnknown(text: string, rules: SiteRules): UrlRead {
  const name = nameIn(text, rules);
  if (name !== null) return { isUrl: true, site: isSensitiveSite(name) || looksLikeSecret(name) ? null : name };
  const isUrl = anyScheme.test(text) || addressWithPort.test(text) || (rules.isBareHostAllowed && isClosedHost(text));
  return { isUrl, site: null };
}

/** Whether a text is a bare host of a closed network: not a site, but nothing else either. */
export function isClosedHost(text: string): boolean {
  return closedHost.test(text) && reservedTopLevels.has(text.slice(text.lastIndexOf(".") + 1).toLowerCase());
}

const closedHost = /^(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{3,12}$/i;

function nameIn(text: string, { isBareHostAllowed }: SiteRules): string | null {
  // The host is at the start, so only that part is matched against the patterns.
  const url = trimBlanks(text.slice(0, maxUrlLength))
    .replace(/^["'<]+/, "")
    .replaceAll("\\/", "/");
  const app = androidApp.exec(url)?.[1]?.toLowerCase();
  if (app !== undefined) return packageName.test(app) ? app : null;
  const { scheme, rest } = withoutScheme(url);
  const [authority = ""] = rest.split(/[/?#\\\s"'<>|;,]/, 1);
  const hostAt = authority.lastIndexOf("@") + 1;
  const [, named = "", port] = hostAndPort.exec(authority.slice(hostAt)) ?? [];
  const written = named.replace(/\.$/, "");
  const host = written.replace(/^www\.(?=[^.]+\.)/i, "");
  if (scheme !== null) {
    if (unnamedSchemes.test(scheme)) return null;
    // A host here could be the user of `https://user:12/34@shop.example/`.
    const isDoubtful = hostAt === 0 && rest.includes("@");
    if (host.includes(".")) return isDoubtful && port !== undefined ? null : domainOf(host);
    return !isDoubtful && singleLabelSchemes.test(scheme) ? singleLabel(host) : null;
  }
  if (hostAt > 0) return null;
  const isWww = host !== written;
  const hasPath = rest.charAt(authority.length) === "/";
  const hasPathOrPort = hasPath || (port !== undefined && port !== "");
  if (!hasPathOrPort && !isBareHostAllowed) return null;
  const domain = domainOf(host);
  if (domain === null) return null;
  const labels = domain.split(".");
  const topLevel = labels.at(-1) ?? "";
  if (!isWww && isFile(labels, topLevel, hasPath)) return null;
  if (!isUnderPublicSuffix(domain)) {
    return isBareHostAllowed && reservedTopLevels.has(topLevel) && (hasPathOrPort || isWww) ? domain : null;
  }
  const isSurelyHost = hasPathOrPort || isWww || labels.length > 2 || plainTopLevels.has(topLevel);
  return isSurelyHost ? domain : null;
}

const maxUrlLength = 2048;

/** `android://<base64>@com.example.app/`; the base64 may contain slashes. */
const androidApp = /^android:\/\/(?:[^@\s]*@)?([^/@:\s]+)/i;
const packageName = /^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+$/;
const hostAndPort = /^([^:[\]]+)(?::(\d{0,5}))?$/;
/** `192.0.2.1:8080/login`: a URL that names no site. */
const addressWithPort = /^\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5}|\/)/;
const anyScheme = /^([a-z][a-z0-9+.-]{0,30}):\/\/+/i;

/** Schemes of pages that are not sites. */
const unnamedSchemes = /^(?:file|data|blob|about|javascript|.*-extension)$/i;
/** Schemes that allow a host of one label: `http://intranet/`, but not `chrome://FirefoxAccounts`. */
const singleLabelSchemes = /^(?:https?|s?ftps?|wss?|rdp|ssh|smb|ldaps?)$/i;

/** Some tools put a scheme before every URL, even if it already has one. */
const maxSchemes = 4;

function withoutScheme(url: string): { readonly scheme: string | null; readonly rest: string } {
  let scheme: string | null = null;
  let rest = url;
  for (let round = 0; round < maxSchemes; round++) {
    const match = anyScheme.exec(rest);
    if (match === null) break;
    scheme = match[1] ?? null;
    rest = rest.slice(match[0].length);
  }
  return { scheme, rest };
}

/**
 * File endings that are also top-level domains. grep prints `leak.zip:jane.doe@example.com:x`, and `query.pl:12:` with
 * a line number that looks like a port.
 */
const archiveEndings: ReadonlySet<string> = new Set("zip cab".split(" "));
const fileEndings: ReadonlySet<string> = new Set("zip cab mov sh py md app java map".split(" "));
/** Endings of names with one dot. Names with more dots are hosts in a country. */
const shortFileEndings: ReadonlySet<string> = new Set("pl rs ps cc bz so pm tf ai in mk ml pub data mp st".split(" "));

function isFile(labels: readonly string[], ending: string, hasPath: boolean): boolean {
  if (hasPath) return archiveEndings.has(ending);
  return fileEndings.has(ending) || (labels.length === 2 && shortFileEndings.has(ending));
}

/** Domains of tests and closed networks: RFC 2606 and 6762, and names that ICANN keeps out of the root. */
const reservedTopLevels: ReadonlySet<string> = new Set(
  "example test invalid local localdomain lan corp home internal intranet private".split(" "),
);

/**
 * Top-level domains that are neither surnames (`wang`, `li`, `hu`) nor words, so a domain directly below is not a name
 * of the form `first.last`.
 */
const plainTopLevels: ReadonlySet<string> = new Set(
  "com net org edu gov mil int ar at au br ca ch cl cz de dk ee es eu fi fr gr hr ie il jp kr kz lt lv mx nl nz pe pk pt ro ru se sg sk th tr tw ua uk us vn za".split(
    " ",
  ),
);

const parseOptions = { extractHostname: false, validateHostname: false, detectIp: false };
let suffixes: typeof import("tldts") | undefined;

const knownTopLevels = new Map<number, boolean>();

/** See `IsTopLevel`. False for labels too long to pack into a number. */
export function isPublicTopLevel(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > maxPackedSize) return false;
  let packed = 0;
  for (let at = start; at < end; at++) packed = (packed << 5) | ((bytes[at] ?? 0) & 31);
  const known = knownTopLevels.get(packed);
  if (known !== undefined) return known;
  const label = Buffer.from(bytes.subarray(start, end)).toString("latin1");
  const mayBeFile = fileEndings.has(label) || shortFileEndings.has(label);
  const isPublic = !mayBeFile && isUnderPublicSuffix(`example.${label}`);
  knownTopLevels.set(packed, isPublic);
  return isPublic;
}

/** Letters at five bits each. */
const maxPackedSize = 6;

function isUnderPublicSuffix(domain: string): boolean {
  // Loaded with the first host without a scheme: the list of suffixes takes milliseconds and megabytes.
  suffixes ??= require("tldts") as typeof import("tldts");
  const { isIcann, domain: registered } = suffixes.parse(domain, parseOptions);
  return isIcann === true && registered !== null;
}

function singleLabel(host: string): string | null {
  const label = host.toLowerCase();
  return /^(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label) ? label : null;
}

/** Whether a site looks like a key or hash: hex digits, or a long label that alternates digits and letters. */
function looksLikeSecret(site: string): boolean {
  return site.split(".").some((label) => {
    if (/[0-9a-f]{24}/.test(label) || label.length > 40) return true;
    return label.length >= 20 && !label.startsWith("xn--") && (label.match(/[0-9](?=[a-z])/g) ?? []).length >= 3;
  });
}
