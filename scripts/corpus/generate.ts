/**
 * Writes an invented breach file to standard output. The same arguments give the same bytes:
 *
 *   bun scripts/corpus/generate.ts --format combo --records 1000000 [--seed 1] [--addresses N]
 *
 * Addresses are drawn with a skew (some a thousand times as often as others) from a population of 0.45 times the
 * records unless `--addresses` sets it; about 0.35 times the records are distinct addresses. Sites and leaks follow a
 * Zipf-like law. All domains are reserved for examples (RFC 2606) or below `.test`.
 */
import { writeSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    format: { type: "string", default: "combo" },
    records: { type: "string", default: "1000000" },
    addresses: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const recordCount = Number(values.records);
const addressCount = Math.max(1, Math.floor(Number(values.addresses ?? recordCount * 0.45)));

const first = listOf(
  "anna ben carla david emma felix gina hugo ida jan kim lea max nina otto paula quinn rosa sam tina",
);
const last = listOf(
  "smith jones brown miller davis garcia lopez wilson moore taylor lee white harris clark lewis young",
);
const separators = listOf(". _ - ", "");
const domains = listOf(
  "@example.com @example.org @example.net @mail.test @post.test @inbox.test @web.test @firm.test @shop.test @city.test",
);
const words = listOf("summer winter dragon monkey secret sunshine shadow master flower soccer tiger purple");
const siteCount = 200_000;
const lineFeed = 0x0a;
const colon = 0x3a;
const comma = 0x2c;

/** xorshift32. */
let state = (Number(values.seed) * 2_654_435_761) >>> 0 || 1;
function random(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}

const out = Buffer.allocUnsafe(1 << 20);
let size = 0;

function listOf(text: string, missing?: string): Buffer[] {
  return text.split(" ").map((word) => Buffer.from(word === "" ? (missing ?? "") : word));
}

function put(bytes: Buffer | undefined): void {
  if (bytes === undefined) return;
  for (let at = 0; at < bytes.length; at++) out[size++] = bytes[at] ?? 0;
}

function putText(text: string): void {
  size += out.write(text, size, "latin1");
}

function putUtf8(text: string): void {
  size += out.write(text, size);
}

function putNumber(number: number): void {
  for (let rest = number; rest > 0; rest = Math.floor(rest / 36)) {
    const digit = rest % 36;
    out[size++] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
}

/** The address of a number. Different numbers have different addresses. */
function putAddress(number: number): void {
  const mixed = Math.imul(number, 2_246_822_519) >>> 0;
  put(first[mixed % first.length]);
  put(separators[(mixed >>> 8) % separators.length]);
  put(last[(mixed >>> 12) % last.length]);
  putNumber(number + 1);
  // Half of all addresses are at the first domain.
  const domain = (mixed >>> 18) & 31;
  put(domains[domain < 16 ? 0 : domain % domains.length]);
}

function drawAddress(): number {
  const share = random() / 2 ** 32;
  return Math.floor(addressCount * share * Math.sqrt(share));
}

function drawSite(): number {
  return Math.floor(siteCount ** (random() / 2 ** 32)) - 1;
}

function putSecret(): void {
  const drawn = random();
  put(words[drawn % words.length]);
  putNumber((drawn >>> 8) & 0xffff);
}

const writers: Readonly<Record<string, () => void>> = {
  combo() {
    putAddress(drawAddress());
    out[size++] = colon;
    putSecret();
  },
  list: () => putAddress(drawAddress()),
  ulp() {
    putText(`https://www.site${drawSite()}.test/login:`);
    putAddress(drawAddress());
    out[size++] = colon;
    putSecret();
  },
  /** url:login:password with the URL last and without schemes. */
  "ulp-last"() {
    putAddress(drawAddress());
    out[size++] = colon;
    putSecret();
    putText(`:https://www.site${drawSite()}.test/login`);
  },
  "ulp-hosts"() {
    putText(`www.site${drawSite()}.example.com/login:`);
    putAddress(drawAddress());
    out[size++] = colon;
    putSecret();
  },
  /** Combos with an extra leading field, and a non-ASCII name at a non-ASCII domain. */
  "combo-third"() {
    putText(`user${drawSite()}:`);
    putAddress(drawAddress());
    out[size++] = colon;
    putSecret();
  },
  "combo-international"() {
    size += out.write("jörg", size);
    putAddress(drawAddress());
    if (drawSite() % 2 === 0) size = out.lastIndexOf("@", size) + out.write("@bücher.test", out.lastIndexOf("@", size));
    out[size++] = colon;
    putSecret();
  },
  /** The rows of an SQL dump. */
  any() {
    putText(`(${drawSite()},'user${drawSite()}','`);
    putAddress(drawAddress());
    putText("','");
    putSecret();
    putText("','2021-04-08 10:11:12',NULL),");
  },
  stealer() {
    putText(`URL: https://site${drawSite()}.test/\nUsername: `);
    putAddress(drawAddress());
    putText("\nPassword: ");
    putSecret();
    putText("\n===============");
  },
  /** As written by a stealer: a third of the logins are nicknames, a tenth of the sites are apps. */
  "stealer-log"() {
    putText(
      drawSite() % 10 === 0
        ? `URL: android://aG9tZWFuZHdvcms${drawSite()}==@com.app${drawSite()}.test/\r\nUsername: `
        : `URL: https://www.site${drawSite()}.test/login?next=%2F\r\nUsername: `,
    );
    if (drawSite() % 3 === 0) putText(`nick${drawSite()}`);
    else putAddress(drawAddress());
    putText("\r\nPassword: ");
    putSecret();
    putText("\r\nApplication: Google_[Chrome]_Default\r\n===============\r");
  },
  /** Blank lines between blocks, non-ASCII labels. */
  "stealer-russian"() {
    putUtf8(`Софт: Chrome\nСайт: https://site${drawSite()}.test/\nЛогин: `);
    putAddress(drawAddress());
    putUtf8("\nПароль: ");
    putSecret();
    putText("\n");
  },
  /** No separator between blocks. */
  "stealer-dense"() {
    putText(`Host: https://site${drawSite()}.test/\nLogin: `);
    putAddress(drawAddress());
    putText("\nPassword: ");
    putSecret();
  },
  "stealer-lines"() {
    putText(`URL: https://site${drawSite()}.test/ | Username: `);
    putAddress(drawAddress());
    putText(" | Password: ");
    putSecret();
  },
  csv() {
    putAddress(drawAddress());
    out[size++] = comma;
    putSecret();
    putText(`,leak${drawSite() % 500}.test,20${10 + (drawSite() % 15)}`);
  },
  jsonl() {
    putText('{"email":"');
    putAddress(drawAddress());
    putText('","password":"');
    putSecret();
    putText(`","subject":"leak${drawSite() % 500}.test"}`);
  },
  dehashed() {
    putText("1,");
    putAddress(drawAddress());
    out[size++] = comma;
    putSecret();
    putText(`,,Leak${drawSite() % 500}`);
  },
  "hibp-domain"() {
    putText(`"u${drawAddress()}":["${drawSite() % 2 === 0 ? "Adobe" : "Dropbox"}","LinkedIn"],`);
  },
};
const heads: Readonly<Record<string, string>> = {
  any: "INSERT INTO `users` VALUES\n",
  csv: "email,password,subject,date\n",
  dehashed: "id,email,password,hashed_password,database_name\n",
  "hibp-domain": "{\n",
};
const tails: Readonly<Record<string, string>> = { any: "(0);\n", "hibp-domain": '"last":["Adobe"]}\n' };

const write = writers[values.format];
if (write === undefined) throw new Error(`--format wants one of ${Object.keys(writers).join(", ")}`);
putText(heads[values.format] ?? "");
for (let left = recordCount; left > 0; left--) {
  write();
  out[size++] = lineFeed;
  if (size > out.length - 4096) flush();
}
putText(tails[values.format] ?? "");
flush();

function flush(): void {
  for (let done = 0; done < size; ) {
    try {
      done += writeSync(1, out, done, size - done);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      Bun.sleepSync(1);
    }
  }
  size = 0;
}
