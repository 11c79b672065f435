import { expect, test } from "vitest";
import { detectedFormat, told } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const john = "john@example.org";

test("one address per line, with any quotes or brackets", async () => {
  const text = `email\n${jane}\n<${john}>\n"${jane}",\nmailto:${john};\n1. ${jane}\n- ${john}\n * ${jane}\nJane Doe\njane@\n`;
  expect((await told(text, "list")).records).toEqual([
    jane,
    john,
    jane,
    john,
    jane,
    john,
    jane,
    "no_email",
    "invalid_email",
  ]);
});

test("each of several addresses in a line is a record", async () => {
  expect(await told(`${jane}; ${john}; u@example.net`)).toEqual({
    records: [jane, john, "u@example.net"],
    furtherAddresses: 0,
  });
  expect((await told(`${jane},${john}\n"${john}" "${jane}"\n`)).records).toEqual([jane, john, john, jane]);
  expect((await told(`${jane}\0${john}\0u@example.net\0`)).records).toEqual([jane, john, "u@example.net"]);
});

test("a line with a secret is a combo", async () => {
  expect(await told(`${jane}\n${john}\nu@example.net\n${jane}:pw\n${jane}:${john}:x\n`)).toEqual({
    records: [jane, john, "u@example.net", `${jane} (combo)`, `${jane} (combo)`],
    furtherAddresses: 1,
  });
});

test("with --format list every line is a list line", async () => {
  expect((await told(`${jane}:pw\nhttps://a.example/:${john}:pw\n`, "list")).records).toEqual([jane, john]);
});

test.each([
  { what: "bare", text: `${jane}\n${john}\n`, format: "list" },
  { what: "with commas", text: `${jane},\n${john},\n`, format: "list" },
  { what: "in brackets", text: `<${jane}>\n<${john}>\n`, format: "list" },
  { what: "numbered", text: `1. ${jane}\n2. ${john}\n`, format: "list" },
  { what: "all in one line", text: `${jane}, ${john}, u@example.net`, format: "list" },
  { what: "a single address", text: jane, format: "list" },
  { what: "with some secrets", text: `${jane}\n${john}\nu@example.net\n${jane}:x\n`, format: "list" },
  { what: "mostly with secrets", text: `${jane}:x\n${john}:x\nu@example.net:x\n${jane}\n`, format: "combo" },
  { what: "in prose", text: `Here are ${jane} and ${john}.\nAnd that is all.\n`, format: "any" },
  { what: "one address in prose", text: `Contact the seller at ${jane} for more.\n`, format: null },
])("addresses $what: $format", ({ text, format }) => {
  expect(detectedFormat(text)).toBe(format);
});
