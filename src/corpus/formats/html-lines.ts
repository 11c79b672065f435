const lineFeed = 0x0a;

/**
 * Converts HTML with `<br>` as line end and `<hr>` as row separator to plain lines without tags, with a final line end.
 */
export function plainLines(bytes: Buffer, start: number, end: number): Buffer {
  const text = bytes
    .toString("latin1", start, end)
    .replace(/<hr\b[^<>]*>/gi, "\n=====\n")
    .replace(/<(?:br|\/p|\/div|\/li|\/tr|\/h\d)\b[^<>]*>/gi, "\n")
    .replace(/<\/?[a-z!][^<>@]*>/gi, "")
    .replaceAll("&amp;", "&")
    .replaceAll("&nbsp;", " ");
  return Buffer.from(`${text}\n`, "latin1");
}

/** Cuts HTML after its last row separator, otherwise after the last line; returns `start` when there is neither. */
export function cutBehindRow(bytes: Buffer, start: number, end: number): number {
  for (const row of ["<hr", "<HR"]) {
    const at = bytes.lastIndexOf(row, end - 1, "latin1");
    const close = at < start ? -1 : bytes.indexOf(">", at, "latin1");
    if (close >= 0 && close < end) return close + 1;
  }
  const feed = bytes.lastIndexOf(lineFeed, end - 1);
  return feed < start ? start : feed + 1;
}
