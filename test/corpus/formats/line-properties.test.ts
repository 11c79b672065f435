import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FormatName, ReadRecord, RecordSink } from "../../../src/corpus/formats/format.ts";
import { LineScanner } from "../../../src/corpus/formats/line-scanner.ts";
import { formats } from "../../../src/corpus/formats/registry.ts";
import { sampleOf } from "../../../src/corpus/formats/sample.ts";
import type { RecordFields } from "../../../src/corpus/record.ts";
import { parseEmail } from "../../../src/domain/email.ts";
import { corpusPrefixSize } from "../../../src/domain/keyed-hash.ts";
import { noWishes } from "../../helpers/read-format.ts";

/** Many runs; the machine may be busy. */
const timeoutMs = 60_000;

const lineFormats = ["combo", "ulp", "list"] as const;
const allFormats = [...lineFormats, "any"] as const;

type Read = { readonly records: ReadRecord[]; readonly furtherAddresses: number };

/** Reads a text in pieces that end at these offsets, each cut by the format. */
function readIn(format: FormatName, text: Buffer, ends: readonly number[], isNamed: boolean): Read | null {
  const { recognises, plan: planOf, open, cut } = formats[format];
  const sample = sampleOf(null, text, true);
  const plan = isNamed ? planOf(sample, noWishes) : recognises(sample, noWishes);
  if (plan === null || cut === null) return null;
  const scanner = new LineScanner(new Uint8Array(corpusPrefixSize));
  const records: ReadRecord[] = [];
  let furtherAddresses = 0;
  const sink: RecordSink = {
    scanner,
    add: (record) => records.push(record),
    addScanned(format) {
      const fields = Buffer.from(scanner.fields).toString("utf8", 0, scanner.fieldsSize);
      const address = parseEmail(scanner.address());
      if (address === null) throw new Error(`${scanner.address()} is not canonical`);
      records.push({
        address,
        fields: fields === "" ? {} : (JSON.parse(fields) as RecordFields),
        droppedCount: 0,
        ...(format === undefined ? {} : { format }),
      });
    },
    encode: () => Buffer.alloc(0),
    addRead: () => {
      throw new Error("line formats add scanned records");
    },
    noteFurtherAddresses: (count) => {
      furtherAddresses += count;
    },
  };
  let start = 0;
  const piece = (end: number) => {
    // As in a block: more bytes follow the piece, a line end first.
    const bytes = Buffer.concat([text.subarray(start, end), Buffer.from("\nx@x.example:pw")]);
    const reader = open(plan, sink, start === 0);
    reader.read(bytes, 0, end - start);
    reader.end();
    start = end;
  };
  for (const end of [...ends].sort((a, b) => a - b)) {
    if (end <= start) continue;
    const cutAt = cut(text, start, Math.min(end, text.length), plan);
    if (cutAt > start && cutAt < text.length) piece(cutAt);
  }
  if (start < text.length) piece(text.length);
  return { records, furtherAddresses };
}

const anyField = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom("jane.doe@example.com", "j@bücher.example", "JÖRG@example.org", "o'brien@example.com"),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("https://shop.example/login", "http://x.example:80", "www.shop.example.org/x"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "li.wang",
      "shop.example.org",
      "leak.zip",
      "192.0.2.1:80",
      "android://a/b==@com.example.app/",
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("secret", "p@ss", "a:b", "null", "p w", "пароль", "\ud83d\ude00", "", "x.y"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "@",
      "@@",
      "a@b",
      "x@y.png",
      "://",
      "Message-ID: <a@b.example>",
      "References:",
      "%40",
      "&#64;",
      "\\n",
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
);
const separator = fc.constantFrom(
  ...":;|,\t #~=/\\'\"<>".split(""),
  "----",
  "--",
  " - ",
  ": ",
  "",
  "\0",
  "\u00a0",
  "：",
  "=\n",
  "\n ",
  "&amp;",
  "://",
);
const anyLine = fc.array(fc.tuple(anyField, separator), { maxLength: 6 }).map((parts) => parts.flat().join(""));
const lineEnds = fc.constantFrom("\n", "\r\n", "\r", "\n\n", "\n ");
const anyFile = fc.oneof(
  fc.array(fc.tuple(anyLine, lineEnds), { maxLength: 12 }).map((lines) => Buffer.from(lines.flat().join(""))),
  fc
    .array(
      fc.oneof(
        anyLine.map((line) => Buffer.from(line)),
        fc.uint8Array({ maxLength: 20 }),
      ),
      { maxLength: 8 },
    )
    .map(Buffer.concat),
);

describe.each(allFormats)("%s", (format) => {
  test(
    "the records do not depend on where a text is cut",
    () => {
      fc.assert(
        fc.property(anyFile, fc.array(fc.nat(300), { maxLength: 6 }), fc.boolean(), (text, ends, isNamed) => {
          expect(readIn(format, text, ends, isNamed)).toEqual(readIn(format, text, [], isNamed));
        }),
        { numRuns: 1500 },
      );
    },
    timeoutMs,
  );
});

describe.each(lineFormats)("%s", (format) => {
  test(
    "each non-blank line is one record; only lists have more",
    () => {
      fc.assert(
        fc.property(anyFile, (text) => {
          const read = readIn(format, text, [], true);
          const lines = text.toString("latin1").split(/[\r\n]+/);
          const blank = /^(?:[ \t\0']|\xef\xbb\xbf|\xe2\x80\x8b|\xc2\xa0)*$/;
          const lineCount = lines.filter((line) => !blank.test(line)).length;
          const count = read?.records.length ?? -1;
          // A header is not a record.
          if (format === "list") expect(count).toBeGreaterThanOrEqual(lineCount - 1);
          else expect([lineCount, lineCount - 1]).toContain(count);
        }),
        { numRuns: 1500 },
      );
    },
    timeoutMs,
  );

  test(
    "a line reads the same in quotes, which disable the fast path",
    () => {
      fc.assert(
        fc.property(anyLine, (line) => {
          fc.pre(!/[\r\n"'[({<]/.test(line) && line.trim() !== "" && /^[a-z0-9]/i.test(line));
          const one = {
            combo: "u@example.com:pw1",
            ulp: "https://a.example/:u@example.com:pw2",
            list: "u@example.com",
          };
          const context = `${one[format]}\n`.repeat(6);
          const bare = readIn(format, Buffer.from(`${context}${line}\n`), [], false);
          const quoted = readIn(format, Buffer.from(`${context}"${line}\n`), [], false);
          fc.pre(bare !== null && quoted !== null);
          expect(quoted?.records.at(-1)).toEqual(bare?.records.at(-1));
        }),
        { numRuns: 1500 },
      );
    },
    timeoutMs,
  );
});

describe.each(allFormats)("%s", (format) => {
  test(
    "any text yields only addresses and the sites of its URLs",
    () => {
      const marker = "zq7hunter2";
      const hosts = ["shop.example", "x.example", "shop.example.org", "com.example.app", "s.example.com"];
      // In every place that may hold something other than a host.
      const url = fc.constantFrom(
        `https://shop.example/${marker}?${marker}=${marker}#${marker}`,
        `http://${marker}:${marker}@x.example:80/`,
        `https://${marker}@shop.example`,
        `http://${marker}.${marker}:${marker}/x@shop.example/`,
        `http://${marker}/${marker}@shop.example/`,
        `www.shop.example.org/${marker}`,
        `s.example.com:8443/${marker}`,
        `android://${marker}==@com.example.app/${marker}`,
        `https://https://shop.example/${marker}`,
      );
      const secret = fc.constantFrom(
        marker,
        `${marker}.com`,
        `${marker}.wang`,
        `a.${marker}`,
        `${marker}@x.example`,
        `${marker}:${marker}`,
        `https://${marker}.example/x`,
        `${marker}.zip:12`,
        `${marker}/x`,
        `p ${marker}`,
      );
      const login = fc.constantFrom("jane.doe@example.com", "<john@example.org>", marker, "nick");
      const hostile = fc
        .tuple(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 }), url, login, secret, separator, separator)
        .map(([order, ...[u, l, s, a, b]]) =>
          [u, l, s, l].filter((_, index) => order.includes(index)).join(order.length > 2 ? a : b),
        );
      const plain = fc.constantFrom(
        "u1@example.com:pw1",
        "https://shop.example/:u2@example.com:pw2",
        "s.example.com/x:u3@example.com:pw3",
      );
      fc.assert(
        fc.property(fc.array(fc.oneof(hostile, plain), { maxLength: 12 }), fc.boolean(), (lines, isNamed) => {
          const read = readIn(format, Buffer.from(`${lines.join("\n")}\n`), [], isNamed);
          for (const record of read?.records ?? []) {
            if (typeof record === "string") continue;
            const { address, fields, droppedCount, format: own, ...others } = record;
            expect(others).toEqual({});
            expect(Object.keys(fields).filter((name) => name !== "subject")).toEqual([]);
            if (fields.subject !== undefined) expect(hosts).toContain(fields.subject);
          }
        }),
        { numRuns: 1500 },
      );
    },
    timeoutMs,
  );
});
