/** Sites of a sensitive kind (docs/contract.md 11.6b). That an address is registered there is a private matter. */
export const sensitiveDomains: readonly string[] = [
  // Adult.
  "adultfriendfinder.com babeshows.co.uk brazzers.com chaturbate.com fansly.com fetlife.com manyvids.com onlyfans.com",
  "pornhub.com redtube.com stripchat.com xhamster.com xnxx.com xvideos.com youporn.com",
  // Dating.
  "ashleymadison.com badoo.com bumble.com eharmony.com feeld.co fotka.com fotka.pl grindr.com happn.com hinge.co",
  "jaumo.com lovoo.com match.com meetic.com meetic.fr okcupid.com parship.com plentyoffish.com pof.com tinder.com",
  "zoosk.com",
  // Health.
  "7cups.com betterhelp.com caringbridge.org flo.health inspire.com mysugr.com patientslikeme.com talkspace.com",
  // Religion.
  "biblegateway.com christianmingle.com jdate.com muslima.com muzz.com pray.com youversion.com",
  // Politics.
  "actblue.com gab.com gettr.com parler.com truthsocial.com winred.com",
].flatMap((line) => line.split(" "));

/** True for a listed domain and its subdomains. */
export function isSensitiveSite(domain: string): boolean {
  for (let start = 0; ; ) {
    if (listed.has(domain.slice(start))) return true;
    const dotAt = domain.indexOf(".", start);
    if (dotAt === -1) return false;
    start = dotAt + 1;
  }
}

/** Names of listed sites that are also everyday words: in a sentence they usually mean something else. */
const everydayNames: ReadonlySet<string> = new Set("bumble flo gab hinge inspire match pof pray tinder".split(" "));

/** Listed sites that people write in several words. */
const spelledApart = [
  "7 cups",
  "act blue",
  "adult friend finder",
  "adult friendfinder",
  "ashley madison",
  "bible gateway",
  "christian mingle",
  "only fans",
  "patients like me",
  "plenty of fish",
  "truth social",
];

/** First labels of the listed domains: `pornhub` of pornhub.com. */
const siteNames: ReadonlySet<string> = new Set(sensitiveDomains.map((domain) => domain.split(".", 1)[0] ?? ""));

/** True for the domain or the name of a listed site: `Ashley Madison`, `tinder`, `www.pornhub.com`. */
export function isSensitiveName(name: string): boolean {
  const folded = name.trim().toLowerCase();
  return siteNames.has(folded.replace(/[^a-z0-9]+/g, "")) || domainsIn(folded).some(isSensitiveSite);
}

/** True when a text contains the domain or the unambiguous name of a listed site. */
export function namesSensitiveSite(text: string): boolean {
  const folded = text.toLowerCase();
  if (domainsIn(folded).some(isSensitiveSite)) return true;
  const words = folded.split(/[^\p{L}\p{N}]+/u);
  if (words.some((word) => siteNames.has(word) && !everydayNames.has(word))) return true;
  const sentence = ` ${words.join(" ")} `;
  return spelledApart.some((name) => sentence.includes(` ${name} `));
}

function domainsIn(text: string): string[] {
  return text.match(/[a-z0-9-]+(?:\.[a-z0-9-]+)+/g) ?? [];
}

const listed: ReadonlySet<string> = new Set(sensitiveDomains);

/** The length of the shortest listed domain. */
const suffixSize = Math.min(...sensitiveDomains.map((domain) => domain.length));
const hashCount = 2 ** 16;
let madeSuffixes: Uint8Array | undefined;

/** 1 at the hash of the last `suffixSize` letters of each listed domain. Built when first needed. */
function listedSuffixes(): Uint8Array {
  if (madeSuffixes !== undefined) return madeSuffixes;
  madeSuffixes = new Uint8Array(hashCount);
  for (const domain of sensitiveDomains) madeSuffixes[suffixHash(Buffer.from(domain), domain.length)] = 1;
  return madeSuffixes;
}

/** FNV-1a of the `suffixSize` bytes before `end`, folded to 16 bits. */
function suffixHash(bytes: Uint8Array, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = end - suffixSize; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 16)) & (hashCount - 1);
}

/**
 * A quick test of a host in lower-case bytes. False when the host is certainly not sensitive; when true,
 * `isSensitiveSite` must decide.
 */
export function isSensitiveHost(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start >= suffixSize && listedSuffixes()[suffixHash(bytes, end)] === 1;
}
