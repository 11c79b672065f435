/** A canonical email address: local part NFC and lower-cased, domain in lower-cased A-labels (docs/contract.md 4.4). */
export type EmailAddress = string & { readonly __brand: "EmailAddress" };

const maxAddressOctets = 254;
const maxLocalOctets = 64;
const maxDomainOctets = 253;
const maxLabelOctets = 63;

/** Longer input cannot give a valid address. It is refused first, because NFC and UTS-46 cost time per character. */
const maxInputLength = 1024;

/** The look-behind keeps matching linear: without it, every blank of a long inner run would start a new attempt. */
const outerSpace = /^[ \t\r\n]+|(?<![ \t\r\n])[ \t\r\n]+$/g;
const localPart = /^[\p{L}\p{M}\p{Nd}!#$%&'*+\-/=?^_`{|}~]+(?:\.[\p{L}\p{M}\p{Nd}!#$%&'*+\-/=?^_`{|}~]+)*$/u;
const domainLabel = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** UTS-46 silently drops these (soft hyphen, joiners, variation selectors); two spellings must not become one. */
const droppedByUts46 = /\p{Default_Ignorable_Code_Point}/u;

const uts46Options = {
  checkBidi: true,
  checkHyphens: false,
  checkJoiners: true,
  useSTD3ASCIIRules: true,
  transitionalProcessing: false,
  verifyDNSLength: true,
} as const;

/**
 * Parses an address as a person or a SIEM may write it and returns its canonical form, or null when it is not a valid
 * address. Never folds sub-addresses or dots: that would claim that two addresses belong to one person. Makes no DNS
 * query. A canonical address parses to itself. Source: docs/contract.md 4.
 */
export function parseEmail(text: string): EmailAddress | null {
  const trimmed = text.replace(outerSpace, "");
  if (trimmed.length > maxInputLength) return null;
  const parts = trimmed.split("@");
  if (parts.length !== 2) return null;
  const local = canonicalLocalPart(parts[0] ?? "");
  const domain = canonicalDomain(parts[1] ?? "");
  if (local === null || domain === null) return null;
  const address = `${local}@${domain}`;
  return Buffer.byteLength(address) <= maxAddressOctets ? (address as EmailAddress) : null;
}

/** A local part in NFC and lower case, or null when it is not valid (docs/contract.md 4.2). */
export function canonicalLocalPart(text: string): string | null {
  const composed = text.normalize("NFC");
  if (!localPart.test(composed)) return null;
  const canonical = composed.toLowerCase().normalize("NFC");
  return localPart.test(canonical) && Buffer.byteLength(canonical) <= maxLocalOctets ? canonical : null;
}

/**
 * A domain in lower-cased A-labels, or null when it is not valid (docs/contract.md 4.3). `domainToASCII` of the runtime
 * is not used: it accepts underscores, drops soft hyphens, decodes `%41` and reads `0x7f.1` as an address.
 */
export function canonicalDomain(text: string): string | null {
  if (text.length > maxInputLength) return null;
  const domain = plainDomain.test(text) ? text.toLowerCase() : asciiDomain(text);
  if (domain === null || domain.length > maxDomainOctets) return null;
  const labels = domain.split(".");
  const last = labels.at(-1) ?? "";
  if (labels.length < 2 || /^[0-9]+$/.test(last)) return null;
  return labels.every((label) => label.length <= maxLabelOctets && domainLabel.test(label)) ? domain : null;
}

/**
 * ASCII letters, digits, hyphens and dots, without an A-label. UTS-46 only lower-cases such a domain, and costs more
 * than the rest of a look-up.
 */
const plainDomain = /^(?!.*xn--)[a-z0-9.-]+$/i;

function asciiDomain(text: string): string | null {
  if (droppedByUts46.test(text)) return null;
  const { toASCII, toUnicode } = loadUts46();
  const domain = toASCII(text, uts46Options);
  // An A-label can hide characters that are refused in its Unicode form.
  const isHiding = domain?.includes("xn--") === true && droppedByUts46.test(toUnicode(domain, uts46Options).domain);
  return isHiding ? null : domain;
}

/**
 * Loads the library when the first domain needs it: its tables take milliseconds and megabytes, and many processes
 * never need them. Not with `import()`, because parsing is synchronous.
 */
function loadUts46(): typeof import("tr46").default {
  return require("tr46");
}
