/** The beginning of a text, from which its format is told. */
export type Sample = {
  /** Without its folder and the ending of a compression; null for standard input. */
  readonly fileName: string | null;
  /** The ending of the name in lower case without the dot, empty without one. */
  readonly ending: string;
  /** The first bytes, up to 64 KiB. */
  readonly head: Buffer;
  /** Whether `head` is all of the text. */
  readonly isWhole: boolean;
  /** `head` as text; a character that is cut at its end is U+FFFD. */
  readonly text: string;
  /** The first lines that are not blank, at most 500. The last line of `head` is left out when it is cut. */
  readonly lines: readonly string[];
};

/** Enough to tell; more only costs time. */
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
