import { redactText, redactUrl } from "../domain/redact.ts";
import { isKnownName } from "./formats/known-leaks.ts";
import { isClosedHost, siteOf } from "./formats/site.ts";

/**
 * Whether a text of a breach file may hold an address, a password or another secret. Nothing tells a password from a
 * word for sure, so a word counts as one when letters and digits alternate in it, or signs stand inside of it, unless it
 * is a form that names, dates, numbers and versions have. When in doubt, it is a secret.
 */
export function mayHoldSecret(text: string): boolean {
  if (redactText(text, null) !== text || saidSecret.test(text)) return true;
  return text
    .split(/[\s"“”„«»()[\]{}<>,;]+/)
    .some((word) => (isUrl(word) ? mayUrlHoldSecret(word) : isSecretWord(word)));
}

/** The same for a URL, by its parts: hex digits and numbers are ids there, and so are those of sites for pastes. */
export function mayUrlHoldSecret(url: string): boolean {
  if (redactUrl(url, null) !== url) return true;
  const parsed = URL.parse(url);
  if (parsed === null) return true;
  const { hostname, pathname, search, hash } = parsed;
  const parts = `${pathname}/${search.slice(1)}/${hash.slice(1)}`.split(/[/?&;=#]+/);
  const isOfPastes = pasteSites.test(hostname);
  return parts.some((part) => {
    const plain = decoded(part);
    if (/[@\s]/.test(plain)) return true;
    return !isOfPastes && !/^[0-9a-f-]{6,}$/i.test(plain) && isSecretWord(plain);
  });
}

/** `password is hunter`: words behind which a secret stands, without the signs that `redactText` looks for. */
const saidSecret =
  /(?:passwor[dt]|passcode|passphrase|pass|pwd|pw|pin|token|secret|senha|clave|contraseña|kennwort|parola|has[lł]o|пароль)\s+(?:is|was|are|ist|war|lautet|es|est|è|é|to)\b/iu;

/** Where what follows the host is the id of a paste. */
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

/** Longer words are no words, but in languages that put words together. */
const maxWordLength = 60;

function isMixed(part: string): boolean {
  return /\p{L}/u.test(part) && /\p{N}/u.test(part);
}

/** Forms of letters with digits that names, numbers and versions have. */
const plainForms: readonly RegExp[] = [
  // T12, v2, Q3; APT28, SHA256; 10GB, 1st, 12m.
  /^\p{L}\d{1,6}$/u,
  // B2B; LinkedIn2012, the name of a leak with its year.
  /^\p{L}\d\p{L}$/u,
  /^\p{Lu}\p{L}+(?:19|20)\d\d$/u,
  /^[A-Z]{2,6}\d{1,6}$/,
  /^\d{1,9}(?:[kmbnx]|bn|[kmgt]i?b|st|nd|rd|th|h|s|d|ms|px)$/i,
  /^(?:leak|breach|title|dump|collection|part|vol|volume|forum|shop|site|batch|list|db|file|record|row|event|case|incident|ticket|alert|report|id|no|nr|year|ver|version|week|day|page|test|example|company|service|source|corpus|set|item|entry|group|server|host|node|web|mail|sub)\d{1,6}$/i,
];
