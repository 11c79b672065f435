import type { Tlp } from "../domain/tlp.ts";

/** What a caller chooses beside the format. */
export type ExportOptions = {
  readonly tlp: Tlp;
  /** CSV begins with U+FEFF, for spreadsheets that take a file without it for another encoding. */
  readonly hasByteOrderMark: boolean;
};
