import { redactText, redactUrl } from "../domain/redact.ts";
import { isKnownName } from "./formats/known-leaks.ts";
import { isClosedHost, siteOf } from "./formats/site.ts";

/**
 * Whether a text of a breach file may hold an address, a password or another secret. A password cannot be told from a
 * word with certainty. A word counts as a secret when it mixes letters and digits or has signs inside, unless it has
 * the form of a name, date, number or version. In doubt it is a secret.
 */
export function mayHoldSecret(text: string): boolean {
  if (redactText(text, null) !== text || saidSecret.test(text)) return true;
  return text
    .split(/[\s"“”„«»()[\]{}<>,;]+/)
    .some((word) => (isUrl(word) ? mayUrlHoldSecret(word) : isSecretWord(word)));
}

/**
 * The same check for the parts of a URL. Hex digits, numbers and the paths of paste sites count as ids, not as secrets.
 */
export function mayUrlHoldSecret(url: string): boolean {
  if (redactUrl(url, null) !== url) return true;
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return true;
  const { hostname, pathname, search, hash } = parsed;
  const parts = `${pathname}/${search.slice(1)}/${hash.slice(1)}`.split(/[/?&;=#]+/);
  const isOfPastes = pasteSites.test(hostname);
  return parts.some((part) => {
    const plain = decoded(part);
    if (/[@\s]/.test(plain)) return true;
    return !isOfPastes && !/^[0-9a-f-]{6,}$/i.test(plain) && isSecretWord(plain);
  });
}

/** `password is hunter`: phrases that announce a secret without the signs that `redactText` looks for. */
const saidSecret =
  /(?:passwor[dt]|passcode|passphrase|pass|pwd|pw|pin|token|secret|senha|clave|contraseña|kennwort|parola|has[lł]o|пароль)\s+(?:is|was|are|ist|war|lautet|es|est|è|é|to)\b/iu;

/** Hosts whose path is the id of a paste. */
const pasteSites =
  /^(?:www\.)?(?:pastebin\.com|gist\.github\.com|ghostbin\.\w+|rentry\.co|paste\.ee|hastebin\.com|justpaste\.it|dpaste\.\w+|controlc\.com|pastie\.\w+|slexy\.org|privatebin\.\w+|0bin\.net|t\.me)$/i;

function isUrl(word: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(word);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return `${text} `;
  }
}

function isSecretWord(raw: string): boolean {
  const word = raw.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
  if (word.length > maxWordLength) return true;
  if (/[\p{L}\p{N}][@!$%^*=~?|\\`#+<>]+[\p{L}\p{N}]/u.test(word)) return true;
  if (!/\p{L}/u.test(word) || !/\p{N}/u.test(word) || isKnownName(word) || isHost(word)) return false;
  return word
    .split(/[-_./:&'’]+/)
    .some((part) => isMixed(part) && !plainForms.some((form) => form.test(part)) && !isKnownName(part));
}

function isHost(word: string): boolean {
  return isClosedHost(word) || siteOf(word, { isBareHostAllowed: true }) !== null;
}

/** A longer run of letters is not a word, except in languages that build compounds. */
const maxWordLength = 60;

function isMixed(part: string): boolean {
  return /\p{L}/u.test(part) && /\p{N}/u.test(part);
}

/** Forms with letters and digits that are typical of names, numbers and versions. */
const plainForms: readonly RegExp[] = [
  // T12, v2, Q3; APT28, SHA256; 10GB, 1st, 12m.
  /^\p{L}\d{1,6}$/u,
  // B2B.
  /^\p{L}\d\p{L}$/u,
  /^[A-Z]{2,6}\d{1,6}$/,
  /^\d{1,9}(?:[kmbnx]|bn|[kmgt]i?b|st|nd|rd|th|h|s|d|ms|px)$/i,
  /^(?:leak|breach|title|dump|collection|part|vol|volume|forum|shop|site|batch|list|db|file|record|row|event|case|incident|ticket|alert|report|id|no|nr|year|ver|version|week|day|page|test|example|company|service|source|corpus|set|item|entry|group|server|host|node|web|mail|sub)\d{1,6}$/i,
];
