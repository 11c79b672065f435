import { parseEmail } from "./email.ts";

/** The mark that replaces text that must not be shown (docs/pipeline.md 21.18). */
export const redacted = "…";

/**
 * Replaces every address except `asked` (canonical; null = no exception) and everything that looks like a secret by
 * `…`. Clean text comes back unchanged. Idempotent.
 *
 * These count as secrets: 32 or more hex digits, both letters and numbers, with their salt; hashes of crypt, bcrypt,
 * argon2, PBKDF2 and LDAP; text after an address and `:`, `;`, `|` or `,`; the value after the word password in some
 * languages, and after token, secret or key unless it is a plain word; user and password of a URL; JSON Web Tokens;
 * private keys; and keys with a known format (AWS, GitHub, Slack, our own ...). URLs follow the rules of `redactUrl`.
 * The caller must pass the whole text and cut the result: half an address is not found.
 */
export function redactText(text: string, asked: string | null): string {
  if (!suspicious.test(text)) return text;
  let shown = redactOnce(text, asked);
  // A replacement can create a new match from its neighbours, so repeat until nothing changes.
  for (let before = text; before !== shown; ) {
    before = shown;
    shown = redactOnce(before, asked);
  }
  return shown;
}

function redactOnce(text: string, asked: string | null): string {
  let shown = "";
  let end = 0;
  for (const match of text.matchAll(urlInText)) {
    shown += redactPlain(text.slice(end, match.index), asked) + redactUrl(match[0], asked);
    end = match.index + match[0].length;
  }
  return shown + redactPlain(text.slice(end), asked);
}

/**
 * Redacts a URL part by part. A path segment or query value that holds another address or a secret is replaced as a
 * whole, and so is every value of a parameter that is named like a secret. Hex digits stay when they are an id: a whole
 * path segment (pastes, reports, samples), or a parameter that is named like an id.
 */
export function redactUrl(url: string, asked: string | null): string {
  const parts = urlParts.exec(url);
  if (parts === null) return redactText(url, asked);
  const [, scheme = "", authority = "", path = "", query = "", fragment = ""] = parts;
  // The host stays: the place of publication is evidence.
  const host = authority.includes("@") ? `${redacted}@${authority.slice(authority.lastIndexOf("@") + 1)}` : authority;
  const segments = path.split("/").map((segment) => (hexFile.test(segment) ? segment : redactPart(segment, asked)));
  const parameters = (text: string) => text.replace(parameter, (part) => redactParameter(part, asked));
  return scheme + host + segments.join("/") + parameters(query) + parameters(fragment);
}

/**
 * Redacts a named value, as in the details of a finding. Like `redactText`, but keeps a value of hex digits when its
 * name says that it is an id or a file.
 */
export function redactNamed(name: string, value: string, asked: string | null): string {
  return idName.test(name) && hexFile.test(value) ? value : redactText(value, asked);
}

/** A quick test without false negatives: most text is clean, and a look-up may make 20,000 findings. */
const suspicious =
  /[@＠﹫:=$%{]|[0-9a-f]{32}|bearer|eyJ|A[BCKS][CI]A|xpz_|xox|gh[oprsu]_|github_pat_|glpat-|sk[-_]|AIza|npm_|-----BEGIN/i;

/** Matches only after a blank, quote or bracket: text glued to the front may be an address or a secret. */
const urlInText = /(?<![^\s"'([<])[a-z][a-z0-9+.-]{0,30}:\/\/[^\s"<>]+/gi;
const urlParts = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is;
const parameter = /[^?&;#]+/g;
/** Only hex digits, with or without file extensions. */
const hexFile = /^[0-9a-f]{32,}(?:\.[a-z0-9]{1,8}){0,3}$/i;
const idName = /^(?:.*[._-])?(?:id|uuid|guid|file|entry)$/i;
const secretName =
  /^(?:.*[._-])?(?:p(?:ass)?w(?:or)?d|pw|pass|passwd|passwort|passphrase|secret|token|api[._-]?key|access[._-]?key|auth|authorization|credential|session(?:[._-]?id)?|sid|sig|signature|jwt|otp|pin)s?$/i;

function redactParameter(part: string, asked: string | null): string {
  // Only in the query and the fragment a plus stands for a blank.
  const spaced = part.replaceAll("+", "%20");
  const at = spaced.indexOf("=");
  if (at === -1) return redactPart(spaced, asked) === spaced ? part : redacted;
  const [name, value] = [spaced.slice(0, at), spaced.slice(at + 1)];
  const isSecret = value !== "" && secretName.test(decoded(name));
  const isId = idName.test(name) && hexFile.test(value);
  const shownName = redactPart(name, asked);
  const shownValue = isSecret ? redacted : isId ? value : redactPart(value, asked);
  return shownName === name && shownValue === value ? part : `${shownName}=${shownValue}`;
}

/** A part of a URL, or `…` when its decoded text needs any redaction. */
function redactPart(part: string, asked: string | null): string {
  const plain = decoded(part);
  return redactText(plain, asked) === plain ? part : redacted;
}

/** Some pages encode addresses more than once to hide them from simple filters. */
const maxEncodings = 3;

function decoded(part: string): string {
  let text = part;
  for (let round = 0; round < maxEncodings && text.includes("%"); round += 1) {
    // Not UTF-8: decode the ASCII octets only, because all characters that matter here are ASCII.
    text = text.replace(/(?:%[0-9a-f]{2})+/gi, (octets) => {
      try {
        return decodeURIComponent(octets);
      } catch {
        return octets.replace(/%([2-7][0-9a-f])/gi, (_match, hex: string) => String.fromCharCode(parseInt(hex, 16)));
      }
    });
  }
  return text;
}

/** The characters of a local part, and invisible characters that could hide an address. */
const localCharacters = String.raw`[\p{L}\p{M}\p{N}\p{Cf}!#$%&'*+/=?^_${"`"}{|}~.-]`;
/** Matches from the start of a word only, so that a long word without an address takes linear time. */
const localPart = `(?<!${localCharacters})${localCharacters}+`;
const atSign = String.raw`(?:\p{Cf}*[@＠﹫]\p{Cf}*|%(?:25)*40)`;
/** At least two labels: `C@sh` is a spelling, not an address (docs/contract.md 4.3). */
const domain = String.raw`(?:(?:[\p{L}\p{M}\p{N}\p{Cf}_-]+[.。．｡])+[\p{L}\p{M}\p{N}\p{Cf}-]{2,}|\[[0-9a-f:.]{3,}\])`;
/** Never a quotation mark: titles quote, and a second pass must not remove the quotation mark after a `…`. */
const secretValue = String.raw`(?:…[^\s"'<>«»“”]*|[^\s"'<>«»“”]+)`;

/** An address with the text that is glued to it; all of this is redacted. */
const address = `${localPart}(?:${atSign}${domain}(?:${localCharacters}+(?=${atSign}))?)+`;

/** An address, and the secret after it in a list of log-ins. */
const addresses = new RegExp(`(${address})(?:([:;|,](?!\\s)|\\s+:\\s*(?=\\S+$))(${secretValue}))?`, "giu");
const startsWithAddress = new RegExp(`^${address}`, "iu");

const passwordWord =
  "password|passwort|passwd|passphrase|passcode|kennwort|contrase[nñ]a|wachtwoord|mot de passe|has[lł]o|[sş]ifre|пароль|密码|パスワード|비밀번호";
const shortPasswordWord = "pass|pwd?|psw|senha|parola";
const tokenWord = "secret|token|(?:api|access|secret|private|client)[ _-]?(?:key|secret)|bearer";
/** Requires a digit or 24 characters: `Token: an overview` is a title. */
const noPlainWord = String.raw`(?=\S*\d|\S{24,})`;

const labelled = new RegExp(
  `((?:(?:${passwordWord})|(?<![\\p{L}\\p{N}])(?:${shortPasswordWord}))["']?\\s*[:=]\\s*` +
    `|(?<![\\p{L}\\p{N}])pin["']?\\s*[:=]\\s*(?=["']?\\d)` +
    `|(?:${tokenWord})["']?\\s*[:=]\\s*(?=["']?${noPlainWord})|(?<![\\p{L}\\p{N}])bearer\\s+(?=${noPlainWord}))` +
    `("[^"\\s][^"]*"|'[^'\\s][^']*'|["']?${secretValue})`,
  "giu",
);

/** Secrets that are recognised by their format alone. Case-sensitive. */
const tokens = new RegExp(
  [
    // crypt(5), with phpass, scrypt and argon2; then the formats of Django and passlib.
    String.raw`\$(?:2[abxy]?|[15678y]|gy|md5|apr1|[PHS]|argon2(?:id|i|d)|scrypt|sha1|pbkdf2[a-z0-9-]*|bcrypt[a-z0-9-]*)\$[^\s"'<>]{8,}`,
    String.raw`\b(?:pbkdf2|bcrypt|argon2|scrypt|md5|sha1|sha256)[a-z0-9_]*\$[^\s"'<>]{8,}`,
    String.raw`\beyJ[\w-]{8,}(?:\.[\w-]+){1,4}`,
    String.raw`\bxpz_[a-z]+_\w{8,}`,
    String.raw`\bA(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}\b`,
    String.raw`\b(?:gh[oprsu]_|github_pat_|glpat-|npm_|xox[abeoprs]-|sk_(?:live|test)_)[\w-]{16,}`,
    String.raw`\bsk-(?=[\w-]*\d)[\w-]{20,}`,
    String.raw`\bAIza[\w-]{30,}`,
  ].join("|"),
  "g",
);

/** Case-insensitive formats: private keys, hashes of LDAP (RFC 2307), and hex digits with their salt. */
const hashes =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|$)|\{(?:S?SHA[0-9]*|S?MD5|CRYPT|PBKDF2[A-Z0-9-]*|ARGON2|BCRYPT)\}[^\s"'<>]{8,}|(?<![0-9a-f])(?:0x)?(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{32,}(?::[^\s"'<>:]{1,64})?/gis;

function redactPlain(text: string, asked: string | null): string {
  return text
    .replace(tokens, redacted)
    .replace(hashes, redacted)
    .replace(labelled, (_match, label: string) => label + redacted)
    .replace(addresses, (_match, found: string, separator: string | undefined, value: string | undefined) => {
      const shown = isAsked(found, asked) ? found : redacted;
      if (separator === undefined || value === undefined) return shown;
      // The value is not a secret when it is the next address of a list.
      return shown + separator + (startsWithAddress.test(value) ? redactText(value, asked) : redacted);
    });
}

/** Characters that text or lists put before an address, and that are also allowed in a local part. */
const outerSigns = /[^\p{L}\p{N}._+-]/u;

function isAsked(found: string, asked: string | null): boolean {
  if (asked === null) return false;
  const plain = found
    .replace(/%(?:25)*40/i, "@")
    .replace(/[＠﹫]/, "@")
    .replace(/\p{Cf}/gu, "");
  if (parseEmail(plain) === asked) return true;
  const folded = plain.toLowerCase();
  if (!folded.endsWith(asked)) return false;
  const before = [...folded.slice(0, -asked.length)];
  return outerSigns.test(before.at(-1) ?? "") && !/@|%(?:25)*40/.test(before.join(""));
}
