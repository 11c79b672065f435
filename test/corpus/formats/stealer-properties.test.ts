import fc from "fast-check";
import { expect, test } from "vitest";
import type { ReadRecord } from "../../../src/corpus/formats/format.ts";
import { formats } from "../../../src/corpus/formats/registry.ts";
import { sampleOf } from "../../../src/corpus/formats/sample.ts";
import { openDesk } from "../../helpers/corpus-desk.ts";
import { noWishes, type ReadTold, readFormat, recordsSink } from "../../helpers/read-format.ts";

/** Present in every text that must not be kept: secrets, nicknames, foreign labels, advertising. */
const marker = "Zq7";
const trap = "trap@zq7.example";

type Block = {
  readonly hasSite: boolean;
  readonly login: "address" | "nick" | "none";
  readonly hasSecret: boolean;
  readonly secret: string;
  readonly extra: string;
  readonly order: readonly number[];
};

type Log = {
  readonly words: readonly [site: string, login: string, secret: string];
  readonly between: string;
  readonly order: readonly number[];
  readonly end: string;
  readonly banner: string;
  readonly blocks: readonly Block[];
};

const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

const secretText = fc.oneof(
  fc.constant(`${marker}secret`),
  fc.constant(`${marker} ${trap}`),
  fc.constant(trap),
  fc.constant(`https://${trap}/`),
  fc.constant(`=${marker}:|;"'`),
  fc.constant(`${marker}\nand more ${trap}\n${marker}`),
  fc.string({ maxLength: 12 }).map((text) => `${marker}${text.replace(/[\r\n@]/g, "")}`),
);

const block: fc.Arbitrary<Block> = fc.record({
  hasSite: fc.boolean(),
  login: fc.constantFrom("address" as const, "address" as const, "nick" as const, "none" as const),
  hasSecret: fc.boolean(),
  secret: secretText,
  extra: fc.constantFrom("", `Country: ${marker}`, `${marker}: ${trap}`, `IP: ${marker}`, `Comment ${marker} ${trap}`),
  order: fc.constantFrom(...orders),
});

const separators = ["=====\n", "\n", "\n\n", "━━━━━\n", "-----\n\n"];

const log: fc.Arbitrary<Log> = fc.record({
  words: fc.constantFrom(
    ["URL: ", "Username: ", "Password: "] as const,
    ["Host:\t", "USER:\t", "PASS:\t"] as const,
    ["- Сайт: ", "- Логин: ", "- Пароль: "] as const,
    ["[Site] ", "[Login] ", "[Pass] "] as const,
  ),
  between: fc.constantFrom("", ...separators),
  order: fc.constantFrom(...orders),
  end: fc.constantFrom("\n", "\r\n", "\r\r\n", "\r"),
  banner: fc.constantFrom("", "", `*****\n* ${marker} @channel *\n*****\n`, `Seller: ${marker} ${trap}\n\n`),
  blocks: fc.array(block, { minLength: 3, maxLength: 24 }),
});

/** Every fourth login has an address, a site and a secret. */
function isWhole(index: number): boolean {
  return index % 4 === 0;
}

/** The text of a log. Login `n` has the address `u<n>@example.com` and the site `s<n>.example.com`. */
function textOf({ words, between, order, end, banner, blocks }: Log): string {
  const parts = blocks.map((given, index) => {
    // The first block shows the order and whether blank lines end blocks. Without separators each block has the last
    // label; otherwise two halves of two blocks would be the same text as one block.
    // otherwise the two halves of two blocks are the same text as one.
    const isRegular = isWhole(index);
    const isForced = (at: number) => isRegular || (between === "" && order[2] === at);
    const { login, secret, extra } = given;
    const hasLogin = isForced(1) || login !== "none";
    const hasSecret = isForced(2) || given.hasSecret;
    const hasSite = isForced(0) || (given.hasSite && (hasLogin || hasSecret));
    const values = [
      hasSite ? `${words[0]}https://www.s${index}.example.com/login` : "",
      hasLogin ? `${words[1]}${login === "address" || isRegular ? `u${index}@example.com` : `${marker}nick`}` : "",
      hasSecret ? `${words[2]}${secret}` : "",
    ];
    const inOrder = (between === "" ? order : given.order).map((at) => values[at] ?? "");
    return [...inOrder, extra]
      .filter((line) => line !== "")
      .map((line) => `${line}\n`)
      .join("");
  });
  return `${banner}${parts.join(between)}`.replaceAll("\n", end);
}

function siteOfRecord(record: ReadRecord): string | undefined {
  return typeof record === "string" ? undefined : record.fields.subject;
}

test("each login has its own site or none, and no other text is kept", async () => {
  await fc.assert(
    fc.asyncProperty(log, async (given) => {
      const { records } = await readFormat("stealer", [Buffer.from(textOf(given))]);
      for (const record of records) {
        if (typeof record === "string") continue;
        expect(record.address).toMatch(/^u\d+@example\.com$/);
        const number = /\d+/.exec(record.address)?.[0];
        expect([undefined, `s${number}.example.com`]).toContain(siteOfRecord(record));
        expect(Object.keys(record.fields)).toEqual(record.fields.subject === undefined ? [] : ["subject"]);
      }
    }),
    { numRuns: 300 },
  );
});

test("every complete login of a log with separators is found with its site", async () => {
  const separated = log.filter(({ between, end }) => between !== "" && end !== "\r");
  await fc.assert(
    fc.asyncProperty(separated, async (given) => {
      const whole = { ...given, blocks: given.blocks.map((one) => ({ ...one, hasSite: true, hasSecret: true })) };
      const { records } = await readFormat("stealer", [Buffer.from(textOf(whole))]);
      const found = records.filter((record) => typeof record !== "string").map(siteOfRecord);
      const wanted = whole.blocks.flatMap(({ login }, index) =>
        login === "address" || isWhole(index) ? [`s${index}.example.com`] : [],
      );
      expect(found).toEqual(wanted);
    }),
    { numRuns: 200 },
  );
});

test("the records do not depend on where a text is cut between blocks", () => {
  fc.assert(
    fc.property(log, fc.integer({ min: 0, max: 400 }), (given, extraSize) => {
      const bytes = Buffer.from(textOf(given));
      // Large enough for four blocks and a banner.
      expect(readInBlocks(bytes, 1500 + extraSize)).toEqual(readInBlocks(bytes, bytes.length));
    }),
    { numRuns: 300 },
  );
});

test("any bytes can be cut, always after a line end", () => {
  const { stealer } = formats;
  const lines = fc.array(
    fc.constantFrom("URL: a", "Login: b@c.de", "Pass: x", "====", "", " ", "\r", "text", "Сайт", "Логин: x", "["),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(lines, fc.constantFrom("\n", "\r\n", "\r", "\r\r\n"), fc.nat(), fc.nat(), (parts, end, from, to) => {
      const bytes = Buffer.from(`${parts.join(end)}${end}\n`);
      const plan = stealer.plan(sampleOf(null, bytes, true), noWishes);
      const [start = 0, stop = 0] = [from % bytes.length, to % bytes.length].sort((a, b) => a - b);
      const cut = stealer.cut?.(bytes, start, stop, plan) ?? -1;
      expect(cut).toBeGreaterThanOrEqual(start);
      expect(cut).toBeLessThanOrEqual(stop);
      if (cut > start) expect([0x0a, 0x0d]).toContain(bytes[cut - 1]);
      // CR LF is never split.
      if (cut > start && bytes[cut - 1] === 0x0d) expect(bytes[cut]).not.toBe(0x0a);
    }),
    { numRuns: 1000 },
  );
});

test("the records read are those imported plus those skipped, and no secret is shown", async () => {
  await fc.assert(
    fc.asyncProperty(log, async (given) => {
      const desk = openDesk();
      const report = await desk.importText(textOf(given), { format: "stealer" }, "a.txt").catch(() => null);
      if (report === null) return;
      const skipped = Object.values(report.skipped).reduce((sum, count) => sum + count, 0);
      expect(report.read).toBe(report.imported + skipped);
      const told = JSON.stringify([report, desk.publications]).toLowerCase();
      expect(told).not.toContain(marker.toLowerCase());
    }),
    { numRuns: 25 },
  );
});

/** The records of a text read in blocks of a size, as by two threads. */
function readInBlocks(whole: Buffer, size: number): ReadTold {
  const { stealer } = formats;
  const plan = stealer.plan(sampleOf(null, whole, true), noWishes);
  const { sink, told } = recordsSink();
  for (let start = 0; start < whole.length; ) {
    const isLast = start + size >= whole.length;
    const filled = Math.min(size, whole.length - start);
    // Bytes after the end belong to another text.
    const block = Buffer.concat([
      whole.subarray(start, start + filled),
      Buffer.from("n: trap@zq7.example\nLogin: x\n"),
    ]);
    const cut = isLast ? filled : (stealer.cut?.(block, 0, filled, plan) ?? 0);
    expect(cut).toBeGreaterThan(0);
    block[cut] = 0x0a;
    const reader = stealer.open(plan, sink, start === 0);
    reader.read(block, 0, cut);
    reader.end();
    start += cut;
  }
  return told;
}
