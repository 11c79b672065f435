import type { Format, Plan, ReadRecord } from "./format.ts";
import { infostealerDefaults, loginRecord } from "./infostealer.ts";
import { cutAtLineEnd, type LineRules, lineReader } from "./line-format.ts";
import { lineFormatOf } from "./line-votes.ts";
import { siteOf } from "./site.ts";
import { type Token, tokensOf, trimDelimiters } from "./tokens.ts";

/** `url:login:password` lines (local-corpus-formats.md, 5). */
export const ulp: Format = {
  name: "ulp",
  confidence: 0.7,
  origin: "ulp",
  defaultsFor: infostealerDefaults,
  recognises: (sample) => (lineFormatOf(sample.lines) === "ulp" ? plan : null),
  plan: () => plan,
  cut: cutAtLineEnd,
  open: (_plan, sink) => lineReader(rules, sink),
};

const plan: Plan = { format: "ulp", columns: [] };
const rules: LineRules = { readLine, scanLine: (line, bytes, start) => line.scanUlp(bytes, start) };

function readLine(raw: string): ReadRecord {
  // Some tools put a stray quote before each line.
  const line = raw.trim().replace(/^'/, "");
  const tokens = tokensOf(line).filter((token) => !isInUrl(line, token));
  const login = chooseLogin(line, tokens) ?? tokens[0];
  return login === undefined ? "no_email" : loginRecord(login.address, siteBeside(line, login));
}

/** Part of a URL is the user in `https://user@site.example`, and an address in a query; neither is the login. */
export function isInUrl(line: string, { start, end }: Token): boolean {
  return line.slice(start, end).includes("/");
}

/** Of several addresses the one directly before the last field is the login. */
function chooseLogin(line: string, tokens: readonly Token[]): Token | undefined {
  const addresses = tokens.filter(({ address }) => address !== null);
  if (addresses.length < 2) return addresses[0];
  return addresses.find(({ end }) => /^[:;|,\s][^:;|,\s]*$/.test(line.slice(end))) ?? addresses[0];
}

/**
 * Left of the login stands the site. In `login:secret:url` it stands at the end and counts only with its scheme: a
 * secret can look like a host.
 */
function siteBeside(line: string, { start, end }: Token): string | null {
  const left = trimDelimiters(line.slice(0, start));
  if (left !== "") return siteOf(left, { isBareHostAllowed: true });
  const lastField =
    line
      .slice(end)
      .split(/[;|,\s]/)
      .at(-1) ?? "";
  const scheme = lastField.search(/https?:\/\//i);
  return scheme === -1 ? null : siteOf(lastField.slice(scheme), { isBareHostAllowed: true });
}
