export const tarBlockSize = 512;

const checksumAt = 148;
const checksumSize = 8;

/** Whether the bytes begin with the header of a file in a tar archive. Verifies the checksum. */
export function isTarHeader(head: Buffer): boolean {
  if (head.length < tarBlockSize || head[0] === 0) return false;
  // Cheap check first: most other files have no octal digit here.
  const said = octal(head, checksumAt, checksumSize);
  if (said === null || said === 0) return false;
  let sum = 0;
  let signedSum = 0;
  for (let at = 0; at < tarBlockSize; at++) {
    const byte = at >= checksumAt && at < checksumAt + checksumSize ? 0x20 : (head[at] ?? 0);
    sum += byte;
    // Some old programs summed signed bytes.
    signedSum += byte > 127 ? byte - 256 : byte;
  }
  return said === sum || said === signedSum;
}

/** An octal number in a field that ends with NUL or a blank; null for anything else. */
export function octal(block: Buffer, at: number, size: number): number | null {
  const text = block
    .toString("latin1", at, at + size)
    .replace(/\0.*$/s, "")
    .trim();
  if (text === "") return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : null;
}
