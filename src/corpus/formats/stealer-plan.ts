import type { Plan } from "./format.ts";
import { plainLines } from "./html-lines.ts";
import { beginsWithUrl, fieldsOf } from "./labelled-fields.ts";
import type { Sample } from "./sample.ts";
import { BlockReader, type BlockRules, type CoreKind, type LoginEntry, type OrderedKind } from "./stealer-blocks.ts";
import { LabelReader } from "./stealer-labels.ts";
import type { RecordRules } from "./stealer-records.ts";
import type { Label, LabelKind } from "./stealer-words.ts";
import { isBlankRange, isRow, nextLine } from "./text-lines.ts";

/**
 * How to read labelled logins. `blocks`: one label per line; `fields`: one login per line; `html`: blocks with lines
 * that end with `<br>`.
 */
export type StealerPlan = Plan & BlockRules & RecordRules & { readonly form: "blocks" | "fields" | "html" };

/** The plan for a text of labelled logins; null for other texts. */
export function stealerPlanOf(sample: Sample): StealerPlan | null {
  if (settingsEndings.has(sample.ending)) return null;
  const text = sampleText(sample);
  if (text === null) return null;
  const lines = linesOf(text.bytes, sample.isWhole);
  if (isFieldsForm(lines)) return fieldsPlan;
  const rules = rulesOf(lines);
  const counts = countBlocks(text.bytes, lines, rules);
  // Logins in settings stand beside hosts, not beside web pages.
  if (settingsMarks.test(sample.text) && counts.urls * 2 < counts.whole) return null;
  return speaksForBlocks(lines, counts) ? planOf(text.form, rules, isLog(counts)) : null;
}

/** The plan for a text that the operator calls a stealer log. */
export function forcedStealerPlan(sample: Sample): StealerPlan {
  const text = sampleText(sample);
  const lines = text === null ? [] : linesOf(text.bytes, sample.isWhole);
  return isFieldsForm(lines) ? fieldsPlan : planOf(text?.form ?? "blocks", rulesOf(lines), true);
}

function planOf(form: "blocks" | "html", rules: BlockRules, isLog: boolean): StealerPlan {
  return { format: "stealer", columns: [], form, ...rules, isLog };
}

const fieldsPlan: StealerPlan = {
  format: "stealer",
  columns: [],
  form: "fields",
  endingBlanks: 1,
  order: ["site", "login", "secret"],
  hasSeparators: true,
  hasFields: true,
  isLog: true,
};

/** Endings of settings and other texts with a label per line. They may contain logins but are not lists of logins. */
const settingsEndings: ReadonlySet<string> = new Set(
  "yaml yml ini conf cfg config cnf env toml properties plist reg vcf eml mbox ldif xml json jsonl sql php py js ts sh".split(
    " ",
  ),
);

/** `[section]` before `key=value`, a key without a value above indented keys, or `dn:` of LDIF. */
const settingsMarks =
  /^(?:\[[\w .:-]{1,40}\][ \t]*[\r\n]+[ \t]*[\w.-]{1,40}[ \t]*=|([ \t]{0,20})[\w-]{1,40}:[ \t]*\r?\n\1[ \t]{1,20}(?:- )?[\w-]{1,40}:|dn:)/m;

type SampleText = { readonly bytes: Buffer; readonly form: "blocks" | "html" };

/** The beginning of a text in lines; null when it is certainly of another kind. */
function sampleText({ head }: Sample): SampleText | null {
  // JSON begins with `{` or `[{`, but `["Chrome" = "Default"]` is a program line.
  if (/^\s*(?:\{\s*"|\[\s*[{[]|<\?xml)/.test(head.toString("latin1", 0, 64))) return null;
  if (isHtml(head)) return { bytes: plainLines(head, 0, head.length), form: "html" };
  return { bytes: Buffer.concat([head, Buffer.from("\n")]), form: "blocks" };
}

function isHtml(head: Buffer): boolean {
  const text = head.toString("latin1", 0, 4096);
  return /^\s*<(?:!doctype|html|head|body|div|pre|p|b|br|hr)\b/i.test(text) && /<[bh]r\b/i.test(text);
}

/** A line of the sample: blank, a row of signs, a line that begins with a label, or other text. */
type SampleLine = {
  readonly kind: "blank" | "row" | "label" | "text";
  /** Labels of the fields in the line. */
  readonly labels: readonly Label[];
  /** The line begins with a URL. */
  readonly hasUrl: boolean;
  /** The line holds text that looks like an address. */
  readonly hasAddress: boolean;
};

const maxLines = 2000;

function linesOf(bytes: Buffer, isWhole: boolean): SampleLine[] {
  const labels = new LabelReader();
  const lines: SampleLine[] = [];
  const end = isWhole ? bytes.length - 1 : bytes.lastIndexOf(0x0a, bytes.length - 2) + 1 || bytes.length - 1;
  for (let start = 0; start < end && lines.length < maxLines; ) {
    let stop = start;
    while (bytes[stop] !== 0x0a && bytes[stop] !== 0x0d) stop++;
    lines.push(lineAt(labels, bytes, start, stop));
    start = nextLine(bytes, stop);
  }
  return lines;
}

function lineAt(labels: LabelReader, bytes: Buffer, start: number, end: number): SampleLine {
  const isLabel = labels.read(bytes, start) !== null;
  if (!isLabel && isBlankRange(bytes, start, end)) return { kind: "blank", ...noText };
  if (!isLabel && isRow(bytes, start, end)) return { kind: "row", ...noText };
  const found = fieldsOf(labels, bytes, start, end).map(({ label }) => label);
  const hasAddress = addressLike.test(bytes.toString("latin1", start, end));
  return { kind: isLabel ? "label" : "text", labels: found, hasUrl: beginsWithUrl(bytes, start), hasAddress };
}

const noText = { labels: [], hasUrl: false, hasAddress: false } as const;
const addressLike = /[\w.+-]@[\w-]+\.\w/;

/** Whether most lines have a site, a login and a secret. */
function isFieldsForm(lines: readonly SampleLine[]): boolean {
  const filled = lines.filter(({ kind }) => kind !== "blank" && kind !== "row");
  const whole = filled.filter(({ labels, hasUrl }) => {
    const kinds = coreKinds(labels);
    return kinds.has("login") && kinds.has("secret") && (kinds.has("site") || hasUrl);
  });
  return whole.length > 0 && whole.length * 2 >= filled.length;
}

/** Whether some of the labelled lines have further labels. */
function holdFields(lines: readonly SampleLine[]): boolean {
  const labelled = lines.filter(({ kind }) => kind === "label");
  return labelled.filter(({ labels }) => coreKinds(labels).size > 1).length > labelled.length * minFieldShare;
}

const minFieldShare = 0.1;

function coreKinds(labels: readonly Label[]): ReadonlySet<CoreKind> {
  return new Set(labels.map(({ kind }) => kind).filter(isCore));
}

function isCore(kind: LabelKind): kind is CoreKind {
  return kind === "site" || kind === "login" || kind === "secret";
}

/** The labels between two separators. */
type Segment = readonly Label[];

function segmentsOf(lines: readonly SampleLine[], endingBlanks: number, hasFields: boolean): Segment[] {
  const segments: Label[][] = [];
  let current: Label[] = [];
  let blankCount = 0;
  for (const line of lines) {
    blankCount = line.kind === "blank" ? blankCount + 1 : 0;
    if (line.kind === "label") current.push(...line.labels.slice(0, hasFields ? undefined : 1));
    if (line.kind !== "row" && (endingBlanks === 0 || blankCount !== endingBlanks)) continue;
    segments.push(current);
    current = [];
  }
  segments.push(current);
  return segments.filter((segment) => segment.some(({ kind }) => isCore(kind)));
}

/** Double-spaced files have three blank lines between blocks. */
const maxEndingBlanks = 4;

function rulesOf(lines: readonly SampleLine[]): BlockRules {
  const hasFields = holdFields(lines);
  const candidates = Array.from({ length: maxEndingBlanks }, (_, index) => index + 1);
  // If blank lines also occur within blocks, this split yields mostly segments with a single label.
  const endingBlanks = candidates.find((count) => hasWholeBlocks(segmentsOf(lines, count, hasFields))) ?? 0;
  const segments = segmentsOf(lines, endingBlanks, hasFields);
  const logins = countsOf(segments.flat().filter(({ kind }) => kind === "login"));
  const loginCount = Math.max(0, ...logins.values());
  const withLogin = segments.filter((segment) => segment.some(({ kind }) => kind === "login")).length;
  const hasSeparators = segments.length === 0 || withLogin * 2 >= loginCount;
  return { endingBlanks, order: orderOf(segments, loginCount, hasSeparators), hasSeparators, hasFields };
}

const minWholeShare = 0.1;

function hasWholeBlocks(segments: readonly Segment[]): boolean {
  const whole = segments.filter((segment) => coreKinds(segment).size > 1).length;
  return whole > 0 && whole >= segments.length * minWholeShare;
}

function countsOf(labels: readonly Label[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { word } of labels) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

const usualOrder: readonly CoreKind[] = ["site", "login", "secret"];

/**
 * The order of most blocks; without separators, the order of the first labels. `software` is part of it if most blocks
 * begin with a program.
 */
function orderOf(segments: readonly Segment[], loginCount: number, hasSeparators: boolean): readonly OrderedKind[] {
  const orders = segments.map((segment) => [...coreKinds(segment)]);
  const whole = hasSeparators ? orders.filter((order) => order.length === usualOrder.length) : orders.slice(0, 1);
  const order = mostCommon(whole) ?? usualOrder;
  const softwareCount = segments.flat().filter(({ kind }) => kind === "software").length;
  const isFirst =
    segments.filter((segment) => segment.find(isOrdered)?.kind === "software").length * 2 >= segments.length;
  const rest = usualOrder.filter((kind) => !order.includes(kind));
  return [...(isFirst && softwareCount * 2 >= loginCount ? ["software" as const] : []), ...order, ...rest];
}

function isOrdered({ kind }: Label): boolean {
  return isCore(kind) || kind === "software";
}

function mostCommon(orders: readonly (readonly CoreKind[])[]): readonly CoreKind[] | undefined {
  const counts = new Map<string, number>();
  for (const order of orders) counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return orders.find((order) => order.join() === most?.[0]);
}

/**
 * `whole`: blocks with a login and a secret; `stolen`: whole blocks with a site or program; `urls`: whole blocks with a
 * URL as site.
 */
type BlockCounts = { blocks: number; whole: number; stolen: number; urls: number };

function countBlocks(bytes: Buffer, lines: readonly SampleLine[], rules: BlockRules): BlockCounts {
  const counts: BlockCounts = { blocks: 0, whole: 0, stolen: 0, urls: 0 };
  if (!lines.some((line) => line.kind === "label")) return counts;
  const add = (_bytes: Buffer, entry: LoginEntry): void => {
    const { start, end } = entry.site;
    counts.blocks++;
    if (!entry.hasLogin || !entry.hasSecret) return;
    counts.whole++;
    if (entry.hasSoftware || start < end) counts.stolen++;
    if (bytes.toString("latin1", start, end).includes("://")) counts.urls++;
  };
  const ignore = () => undefined;
  new BlockReader(rules, { add, noteText: ignore, noteLongLine: ignore }).read(bytes, 0, bytes.length - 1);
  return counts;
}

/** Whether most logins have a site or a program. */
function isLog({ whole, stolen }: BlockCounts): boolean {
  return stolen * 2 >= whole;
}

/**
 * Whether at least half of the blocks have a login and a secret, and at least half of the lines begin with a label. A
 * banner above the first block does not count, but login lines there do.
 */
function speaksForBlocks(lines: readonly SampleLine[], { blocks, whole }: BlockCounts): boolean {
  if (whole === 0 || whole * 2 < blocks) return false;
  const from = lines.findIndex(({ kind, labels }) => kind === "label" && labels.some((label) => isCore(label.kind)));
  const filled = lines.filter(
    ({ kind, hasUrl, hasAddress }, index) =>
      kind === "label" || (kind === "text" && (index >= from || hasUrl || hasAddress)),
  );
  const labelled = filled.filter(({ kind }) => kind === "label");
  return labelled.length * 2 >= filled.length;
}
