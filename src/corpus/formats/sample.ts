/** The beginning of a text, used to detect its format. */
export type Sample = {
  /** The file name without folder and compression ending; null for standard input. */
  readonly fileName: string | null;
  /** The lower-case ending of the name without the dot; empty if there is none. */
  readonly ending: string;
  /** The first bytes, up to 64 KiB. */
  readonly head: Buffer;
  /** Whether `head` is the whole text. */
  readonly isWhole: boolean;
  /** `head` as text. A character cut at the end is U+FFFD. */
  readonly text: string;
  /** The first non-blank lines, at most 500. A last line that is cut off is left out. */
  readonly lines: readonly string[];
};

/** Enough for detection; more lines only cost time. */
const maxLines = 500;

export function sampleOf(fileName: string | null, head: Buffer, isWhole: boolean): Sample {
  const text = head.toString("utf8");
  const lines = text.split(/[\r\n]+/, maxLines + 1);
  const isLastCut = !isWhole && lines.length > 1 && lines.length <= maxLines;
  const whole = isLastCut ? lines.slice(0, -1) : lines.slice(0, maxLines);
  return {
    fileName,
    ending: /\.([a-z0-9]+)$/.exec(fileName?.toLowerCase() ?? "")?.[1] ?? "",
    head,
    isWhole,
    text,
    lines: whole.filter((line) => /[^\0- ]/.test(line)),
  };
}
