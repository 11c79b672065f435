import { type LineShape, shapeOf } from "./line-shape.ts";
import type { LoginPlan } from "./login-lines.ts";
import type { Sample } from "./sample.ts";

/**
 * How a text of lines with logins is read, or null when it is not of the format: the lines of one kind must be half of those that
 * hold addresses, and a good share of all.
 */
export function loginPlanOf(sample: Sample, format: LoginPlan["format"]): LoginPlan | null {
  const votes = votesOf(sample);
  return formatOf(votes, sample) === format ? { ...planOf(format, votes), isForced: false } : null;
}

/** The plan for a text that the operator calls by a format. */
export function forcedLoginPlan(sample: Sample, format: LoginPlan["format"]): LoginPlan {
  return { ...planOf(format, votesOf(sample)), isForced: true };
}

/** Bounded, so that a line of signs costs no more than its length. */
const backslashBehind = /@[^\s\\@]{1,253}\\/;

type Votes = {
  readonly count: (...shapes: readonly LineShape[]) => number;
  readonly total: number;
  readonly hasAddress: boolean;
  readonly backslashCount: number;
};

/** Three formats ask about each file. */
const known = new WeakMap<Sample, Votes>();

function votesOf(sample: Sample): Votes {
  const votes = known.get(sample) ?? countShapes(spread(sample.lines));
  known.set(sample, votes);
  return votes;
}

/** So many lines are enough; a folder may hold 100,000 files. */
const maxLines = 100;

/** Lines from all of the sample: promotion stands at the top. */
function spread(lines: readonly string[]): readonly string[] {
  const step = Math.ceil(lines.length / maxLines);
  return step <= 1 ? lines : lines.filter((_, index) => index % step === 0);
}

function countShapes(lines: readonly string[]): Votes {
  const counts = new Map<LineShape, number>();
  for (const shape of lines.map(shapeOf)) counts.set(shape, (counts.get(shape) ?? 0) + 1);
  return {
    count: (...shapes) => shapes.reduce((sum, shape) => sum + (counts.get(shape) ?? 0), 0),
    total: lines.length,
    hasAddress: lines.some((line) => line.includes("@")),
    backslashCount: lines.filter((line) => backslashBehind.test(line)).length,
  };
}

function planOf(format: LoginPlan["format"], votes: Votes): Omit<LoginPlan, "isForced"> {
  return {
    format,
    columns: [],
    isHostFirst: hasHostsFirst(votes),
    isHostLast: hasHostsLast(votes),
    isUrlInMiddle: votes.count("urlMiddle") >= votes.total * clearShare,
    hasBackslashes: votes.backslashCount > votes.total / 2,
  };
}

/**
 * Most lines with something before the address have URLs or hosts there, and some of them have no scheme. Hosts of
 * closed networks alone could be anything.
 */
function hasHostsFirst({ count }: Votes): boolean {
  const named = count("urlFirst", "hostFirst");
  const closed = count("closedFirst");
  return named > 0 && count("hostFirst") + closed > 0 && named + closed > count("prefixCombo");
}

function hasHostsLast({ count }: Votes): boolean {
  const named = count("urlLast", "hostLast");
  const closed = count("closedLast");
  return named > 0 && count("hostLast") + closed > 0 && named + closed > count("suffixCombo");
}

/** Of a shape that others look like, so many lines must be. */
const clearShare = 0.8;
/** The lines of a format among all of a text. */
const minShare = 0.3;

function formatOf(votes: Votes, { isWhole, text }: Sample): LoginPlan["format"] | null {
  const { count, total } = votes;
  if (total === 0 || (!votes.hasAddress && isWhole)) return null;
  // One line that is longer than the sample: a line format would read its beginning only.
  if (!isWhole && !/[\r\n]/.test(text)) return null;
  const inMiddle = count("urlMiddle") >= total * clearShare ? count("urlMiddle") : 0;
  const first = count("hostFirst", "closedFirst");
  const last = count("hostLast", "closedLast");
  const hosts = (hasHostsFirst(votes) ? first : 0) + (hasHostsLast(votes) ? last : 0);
  const ulp = count("urlFirst", "urlLast") + inMiddle + hosts;
  const combo = count("combo", "prefixCombo", "suffixCombo") + first + last - hosts;
  const bare = count("bare");
  const others = count("urlLogin", "label", "columns", "text") + count("urlMiddle") - inMiddle;
  const half = (ulp + combo + bare + others) / 2;
  if (ulp > 0 && ulp >= half && ulp >= total * minShare) return "ulp";
  if (bare > 0 && bare >= half && bare + combo >= total / 2) return "list";
  if (combo > 0 && combo >= half && combo + count("nick") + ulp + bare >= total / 2) return "combo";
  return null;
}
