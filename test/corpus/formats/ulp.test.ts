import { describe, expect, test } from "vitest";
import { detectedFormat, told } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const john = "john@example.org";
const site = `${jane} shop.example`;

/** Lines that make a file url:login:password. */
const context = [1, 2, 3, 4, 5].map((n) => `https://s${n}.example.com/login:u${n}@example.org:pw${n}`).join("\n");
/** The same lines without schemes. */
const hosts = [1, 2, 3, 4, 5].map((n) => `s${n}.example.com/login:u${n}@example.org:pw${n}`).join("\n");

/** The record of the last line in a url:login:password file. */
async function lineIn(file: string, line: string): Promise<{ record: string | undefined; furtherAddresses: number }> {
  const { records, furtherAddresses } = await told(`${file}\n${line}\n`);
  expect(records).toHaveLength(6);
  return { record: records.at(-1), furtherAddresses };
}

describe("a URL, a login and its secret", () => {
  test.each([
    `https://shop.example/login:${jane}:secret`,
    `https://www.shop.example:8443/x?y=z:${jane}:secret`,
    `HTTP://Shop.Example:${jane}:secret`,
    `https://shop.example./:${jane}:secret`,
    `https://user@shop.example/:${jane}:secret`,
    `https://admin:pw@shop.example/:${jane}:secret`,
    `https://${john}:pw@shop.example/x:${jane}:secret`,
    `https://https://shop.example/:${jane}:secret`,
    `https://shop.example/login:${jane}:se:cr;et`,
    `https://shop.example/|${jane}|secret`,
    `https://shop.example/|${jane}:secret`,
    `https://shop.example/;${jane};secret`,
    `https://shop.example/,${jane},secret`,
    `https://shop.example/\t${jane}\tsecret`,
    `https://shop.example/ ${jane} secret`,
    `https://shop.example/   ${jane}   secret`,
    `https://shop.example/ : ${jane} : secret`,
    `https://shop.example/----${jane}----secret`,
    `'https://shop.example/:${jane}:secret`,
    `"https://shop.example/":"${jane}":"secret"`,
    `"https://shop.example":${jane}:secret`,
    `[HIT] https://shop.example/:${jane}:secret`,
    `12. https://shop.example/:${jane}:secret`,
    `- https://shop.example/:${jane}:secret`,
    `https://shop.example/?mail=${john}:${jane}:secret`,
    `https://shop.example/?a=1&mail=${john}:${jane}:secret`,
    `https://shop.example/:${john}:${jane}:secret`,
    `https://shop.example/a;jsessionid=1:${jane}:secret`,
    `https://shop.example/#/login?next=/a:b:${jane}:secret`,
    `https://shop.example/a,b|c:${jane}:secret`,
    `https://shop.example/with blank:${jane}:secret`,
    `https://shop.example/wp-login.php#${jane}@secret`,
    `url:https://shop.example/ login:${jane} password:secret`,
    `https://shop.example/:<${jane}>:secret`,
    `https:\\/\\/shop.example\\/:${jane}:secret`,
    `${jane}:secret:https://shop.example/login`,
    `${jane}:secret:https://shop.example:8443/a:b/login`,
    `${jane}:secret | https://shop.example/login`,
    `${jane},secret1,https://shop.example/login`,
    `${jane}:se|cr:et:https://shop.example/login`,
  ])("%s", async (line) => {
    expect((await lineIn(context, line)).record).toBe(site);
  });

  test.each([
    [`android://a1/b2==@com.example.shop/:${jane}:secret`, `${jane} com.example.shop`],
    [`${jane}:secret:android://a1/b2==@com.example.shop/`, `${jane} com.example.shop`],
    [`https://bücher.example/:${jane}:x1`, `${jane} xn--bcher-kva.example`],
    [`http://intranet/:${jane}:secret`, `${jane} intranet`],
    [`http://192.168.0.1/:${jane}:secret`, jane],
    [`http://[2001:db8::1]:8080/login:${jane}:secret`, jane],
    [`https://user_name.example.org/x:${jane}:secret`, jane],
    [`https://www.tinder.com/:${jane}:secret`, jane],
    [`https://0123456789abcdef0123456789abcdef.example/:${jane}:secret`, jane],
    [`file:///home/jane:${jane}:secret`, jane],
    [`chrome-extension://abc.def/:${jane}:secret`, jane],
    [`https://shop.example/:JANE.DOE@bücher.example:x1`, "jane.doe@xn--bcher-kva.example shop.example"],
    [`https://shop.example/:jörg@example.com:x1`, "jörg@example.com shop.example"],
    [`https://shop.example/:CORP\\${jane}:x1`, site],
  ])("%s", async (line, record) => {
    expect((await lineIn(context, line)).record).toBe(record);
  });

  test("of several addresses, the one directly before the last field is the login; the others are counted", async () => {
    expect(await lineIn(context, `https://shop.example/:${jane}:${john}`)).toEqual({
      record: site,
      furtherAddresses: 1,
    });
    expect(await lineIn(context, `https://shop.example/:${john}:${jane}:pw`)).toEqual({
      record: site,
      furtherAddresses: 1,
    });
  });
});

describe("a ulp record needs a site, a login and a secret", () => {
  test.each([
    { line: `https://shop.example/:nick:${jane}`, record: "no_email", further: 1 },
    { line: `https://shop.example/|nick|${jane}`, record: "no_email", further: 1 },
    { line: `https://shop.example/?mail=${jane}:nick:secret`, record: "no_email", further: 1 },
    { line: `https://${jane}:pw@shop.example/:nick:secret`, record: "no_email", further: 2 },
    { line: "https://shop.example/:nick:secret", record: "no_email", further: 0 },
    { line: "https://shop.example/:jane@nowhere:secret", record: "invalid_email", further: 0 },
    { line: "join us at the channel", record: "no_email", further: 0 },
    { line: `https://shop.example/:${jane}`, record: `${jane} (any)`, further: 0 },
    { line: `https://shop.example/:${jane}:`, record: `${jane} (any)`, further: 0 },
    { line: `https://shop.example/:${jane}:[NOT_SAVED]`, record: `${jane} (any)`, further: 0 },
    { line: `https://shop.example/:${jane}:null`, record: `${jane} (any)`, further: 0 },
    { line: `${jane}`, record: `${jane} (any)`, further: 0 },
    { line: `${jane}:pass.word`, record: `${jane} (combo)`, further: 0 },
    { line: `pass.word:${jane}`, record: `${jane} (combo)`, further: 0 },
    { line: `hunter2.wang:${jane}:nick`, record: `${jane} (combo)`, further: 0 },
    { line: `${jane}:https://hunter2.example/x`, record: `${jane} (combo)`, further: 0 },
    { line: `${jane}:pw | Balance = 0 | Plan = B | https://shop.example`, record: `${jane} (combo)`, further: 0 },
    { line: `dump.txt:${jane}:secret`, record: `${jane} (combo)`, further: 0 },
  ])("$line", async ({ line, record, further }) => {
    expect(await lineIn(context, line)).toEqual({ record, furtherAddresses: further });
  });
});

describe("hosts without a scheme", () => {
  test.each([
    [`shop.example.org/login:${jane}:secret`, `${jane} shop.example.org`],
    [`shop.example.org:8443:${jane}:secret`, `${jane} shop.example.org`],
    [`www.shop.example.org:${jane}:secret`, `${jane} shop.example.org`],
    [`shop.example.org:${jane}:secret`, `${jane} shop.example.org`],
    [`shop.com|${jane}|secret`, `${jane} shop.com`],
    [`shop.example/login:${jane}:secret`, `${jane} shop.example`],
    [`www.shop.example:${jane}:secret`, `${jane} shop.example`],
    [`intra.corp.example:${jane}:secret`, jane],
    [`192.0.2.1:8080:${jane}:secret`, jane],
    [`${jane}:secret:shop.example.org/login`, `${jane} shop.example.org`],
    [`${jane}:secret:shop.example.org:8443/a`, `${jane} shop.example.org`],
    [`li.wang:${jane}:secret`, `${jane} (combo)`],
    [`jo.moe:${jane}:secret`, `${jane} (combo)`],
    [`leak.zip:${jane}:secret`, `${jane} (combo)`],
    [`leak.zip:12:${jane}:secret`, `${jane} (combo)`],
    [`data/leak.txt:${jane}:secret`, `${jane} (combo)`],
    [`forum.example.org.txt:${jane}:secret`, `${jane} (combo)`],
    [`${jane}:pass.com`, `${jane} (combo)`],
    [`${jane}:pass.com/x`, `${jane} (combo)`],
    [`nick:${jane}:secret`, `${jane} (combo)`],
    [`shop.example.org/login:nick:${jane}`, "no_email"],
    [`shop.example.org/login:${jane}`, `${jane} (any)`],
  ])("%s", async (line, record) => {
    expect((await lineIn(hosts, line)).record).toBe(record);
  });

  test("are not sites in a file of other lines", async () => {
    const combos = [1, 2, 3, 4].map((n) => `nick${n}:u${n}@example.org:pw${n}\n`).join("");
    const { records } = await told(`${combos}shop.example.org/login:${jane}:secret\n`);
    expect(records.at(-1)).toBe(jane);
  });
});

describe("is detected", () => {
  const lines = (make: (n: number) => string, count = 10) =>
    Array.from({ length: count }, (_, n) => make(n)).join("\n");
  const ulpLine = (n: number) => `https://s${n}.example/:u${n}@example.com:pw${n}`;
  const comboLine = (n: number) => `u${n}@example.net:pw${n}`;

  test.each([
    {
      what: "with mostly nicknames",
      text: `${lines((n) => `https://s${n}.example/:nick${n}:pw${n}`, 49)}\n${ulpLine(1)}`,
    },
    { what: "with the URL last", text: lines((n) => `u${n}@example.com:pw${n}:https://s${n}.example/`) },
    { what: "with the URL in the middle", text: lines((n) => `u${n}@example.com https://s${n}.example/ pw${n}`) },
    { what: "with commas", text: lines((n) => `https://s${n}.example/,u${n}@example.com,pw${n}`) },
    {
      what: "after advertising",
      text: `==== FREE @channel ====\nhttps://t.me/x\nJoin us: https://t.me/x admin@\n\n${lines(ulpLine)}`,
    },
    { what: "without schemes", text: lines((n) => `s${n}.example/login:u${n}@example.com:pw${n}`) },
    { what: "with 40 % of combos", text: `${lines(ulpLine, 12)}\n${lines(comboLine, 8)}` },
  ])("$what", ({ text }) => {
    expect(detectedFormat(text)).toBe("ulp");
  });

  test.each([
    { what: "combos", text: lines(comboLine), format: "combo" },
    {
      what: "40 % of url:login:password lines",
      text: `${lines(ulpLine, 8)}\n${lines(comboLine, 12)}`,
      format: "combo",
    },
    { what: "users whose names are domains", text: lines((n) => `li.wang:u${n}@example.com:pw${n}`), format: "combo" },
    { what: "output of grep", text: lines((n) => `forum${n}.sql:u${n}@example.com:pw${n}`), format: "combo" },
    { what: "output of grep -n", text: lines((n) => `leak.zip:${n}:u${n}@example.com:pw${n}`), format: "combo" },
    { what: "URLs and logins", text: lines((n) => `https://s${n}.example/:u${n}@example.com`), format: "any" },
    {
      what: "addresses and profiles",
      text: lines((n) => `u${n}@example.com,https://example.org/in/u${n}`),
      format: "any",
    },
    {
      what: "profiles, addresses and cities",
      text: lines((n) => `https://example.org/in/u${n},u${n}@example.com,York`),
      format: "any",
    },
    {
      what: "addresses, cities and profiles",
      text: lines((n) => `u${n}@example.com;York;https://example.org/in/u${n}`),
      format: "any",
    },
    { what: "WHOIS rows", text: lines((n) => `s${n}.example.org,u${n}@example.com,+1.555010${n},York`), format: "any" },
    {
      what: "WHOIS rows of three columns",
      text: lines((n) => `s${n}.example.org;u${n}@example.com;York`),
      format: "any",
    },
    { what: "a log", text: lines((n) => `10:0${n} GET https://s.example/?mail=u${n}@example.com 200`), format: "any" },
  ])("$what are not ulp", ({ text, format }) => {
    expect(detectedFormat(text)).toBe(format);
  });

  test.each(["https://s.example/a\nhttps://s.example/b\n", "https://s.example/:nick:pw\n"])(
    "%j has no address",
    (text) => {
      expect(detectedFormat(text)).toBeNull();
    },
  );
});

test("in a file of two kinds each line keeps its own format", async () => {
  const text = `https://a.example/:u1@example.com:pw1\nhttps://b.example/:u2@example.com:pw2\nu3@example.com:pw3\n`;
  expect((await told(text)).records).toEqual([
    "u1@example.com a.example",
    "u2@example.com b.example",
    "u3@example.com (combo)",
  ]);
  expect((await told(`${text}u4@example.com:pw4\nu5@example.com:pw5\n`)).records).toEqual([
    "u1@example.com a.example (ulp)",
    "u2@example.com b.example (ulp)",
    "u3@example.com",
    "u4@example.com",
    "u5@example.com",
  ]);
});
