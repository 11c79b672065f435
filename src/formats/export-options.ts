import type { Tlp } from "../domain/tlp.ts";

/** The choices of a caller besides the format. */
export type ExportOptions = {
  readonly tlp: Tlp;
  /** Whether CSV begins with U+FEFF. Some spreadsheets assume another encoding without it. */
  readonly hasByteOrderMark: boolean;
};
