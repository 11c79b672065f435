const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Cuts after the last line end, never between CR and LF. */
export const cutAtLineEnd = (bytes: Uint8Array, start: number, end: number): number => {
  const feed = bytes.lastIndexOf(lineFeed, end - 1);
  if (feed >= start) return feed + 1;
  // A CR at the very end may be half of a CR LF.
  const ending = bytes.lastIndexOf(carriageReturn, end - 2);
  return ending >= start ? ending + 1 : start;
};
