import type { FormatName } from "./format.ts";
import { siteOf } from "./site.ts";
import { parseLabel } from "./stealer.ts";
import { type Token, tokensOf } from "./tokens.ts";

/** So much of the lines that speak for a format must speak for the same one. */
const clearShare = 0.8;

/** The format that most lines speak for, or null when they do not agree. */
export function lineFormatOf(lines: readonly string[]): FormatName | null {
  const votes = new Map<FormatName, number>();
  for (const vote of lines.map(formatOfLine)) if (vote !== null) votes.set(vote, (votes.get(vote) ?? 0) + 1);
  const ranked = [...votes].sort(([, a], [, b]) => b - a);
  const total = ranked.reduce((sum, [, count]) => sum + count, 0);
  const [first] = ranked;
  return first !== undefined && first[1] >= total * clearShare ? first[0] : null;
}

/** The format that a line speaks for, or null when it could be of several or of none. */
function formatOfLine(raw: string): FormatName | null {
  const line = raw.trim().replace(/^'/, "");
  const label = parseLabel(line)?.label;
  if (label !== undefined) return label === "login" ? "stealer" : null;
  const login = tokensOf(line).find((token) => token.address !== null && !isInUrl(line, token));
  if (login === undefined) return null;
  const left = line.slice(0, login.start);
  const right = line.slice(login.end);
  if (left === "") return formatOfRest(right);
  if (/^[:;|,\s]*$/.test(right))
    return siteOf(left.slice(0, -1), { isBareHostAllowed: true }) === null ? "combo" : null;
  return left.includes("://") || siteOf(left.slice(0, -1), { isBareHostAllowed: true }) !== null ? "ulp" : null;
}

/** What follows an address at the start of a line: nothing, a secret, a secret and a URL, or more columns than that. */
function formatOfRest(right: string): FormatName | null {
  if (/^[,;]?\s*$/.test(right)) return "list";
  if (/[:;|,\s]https?:\/\//i.test(right)) return "ulp";
  return (right.match(/[,\t]/g) ?? []).length > 1 ? null : "combo";
}

/** Part of a URL is the user in `https://user@site.example`, and an address in a query; neither is the login. */
function isInUrl(line: string, { start, end }: Token): boolean {
  return line.slice(start, end).includes("/");
}
