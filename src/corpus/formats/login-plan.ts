import { type LineShape, shapeOf } from "./line-shape.ts";
import type { LoginPlan } from "./login-lines.ts";
import type { Sample } from "./sample.ts";

/**
 * The plan for a text whose lines hold logins; null when the text is not of `format`. Lines of one kind must be half of
 * all lines with addresses, and a good share of all lines.
 */
export function loginPlanOf(sample: Sample, format: LoginPlan["format"]): LoginPlan | null {
  const votes = votesOf(sample);
  return formatOf(votes, sample) === format ? { ...planOf(format, votes), isForced: false } : null;
}

/** The plan for a text whose format was named by the operator. */
export function forcedLoginPlan(sample: Sample, format: LoginPlan["format"]): LoginPlan {
  return { ...planOf(format, votesOf(sample)), isForced: true };
}

/** Bounded, so that the cost for a line of at-signs stays linear. */
const backslashBehind = /@[^\s\\@]{1,253}\\/;

type Votes = {
  readonly count: (...shapes: readonly LineShape[]) => number;
  readonly total: number;
  readonly hasAddress: boolean;
  readonly backslashCount: number;
};

/** Cached, because three formats ask for each file. */
const known = new WeakMap<Sample, Votes>();

function votesOf(sample: Sample): Votes {
  const votes = known.get(sample) ?? countShapes(spread(sample.lines));
  known.set(sample, votes);
  return votes;
}

/** Lines judged per file: enough for a decision, and a folder may hold 100,000 files. */
const maxLines = 100;

/** Picks lines from the whole sample, because advertising stands at the top. */
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
 * Whether most lines with text before the address have a URL or host there, some without a scheme. Hosts of closed
 * networks alone are not enough: they could be anything.
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

/** Share of lines required for a shape that is easily confused with another. */
const clearShare = 0.8;
/** Share of a format's lines among all lines. */
const minShare = 0.3;

function formatOf(votes: Votes, { isWhole, text }: Sample): LoginPlan["format"] | null {
  const { count, total } = votes;
  if (total === 0 || (!votes.hasAddress && isWhole)) return null;
  // One line longer than the sample: a line format would read only its beginning.
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
