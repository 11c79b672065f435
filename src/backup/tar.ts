/** Headers and padding come in blocks of this size (POSIX.1-1988, ustar). */
export const blockSize = 512;
/** Two blocks of zeros end an archive. */
export const archiveEnd = Buffer.alloc(2 * blockSize);

export type TarMember = { readonly name: string; readonly size: number; readonly modifiedAt: Date };

/** Eleven octal digits hold up to 8 GiB. Larger sizes are written in base 256, like GNU tar, bsdtar and Python. */
const octalLimit = 8 ** 11;
const base256 = 0x80;
const [nameAt, nameSize] = [0, 100];
const [sizeAt, timeAt, checksumAt] = [124, 136, 148];

/**
 * The header of a regular file readable only by its owner: 512 bytes. `name` has at most 100 ASCII bytes, `size` is a
 * safe integer. Each member has exactly one valid header, so a reader can refuse all others.
 */
export function tarHeader({ name, size, modifiedAt }: TarMember): Buffer {
  const header = Buffer.alloc(blockSize);
  header.write(name, nameAt, nameSize, "latin1");
  // Mode, user and group.
  header.write("0000600\0", 100, "latin1");
  header.write("0000000\0", 108, "latin1");
  header.write("0000000\0", 116, "latin1");
  if (size < octalLimit) {
    header.write(octal(size), sizeAt, "latin1");
  } else {
    header[sizeAt] = base256;
    header.writeBigUInt64BE(BigInt(size), sizeAt + 4);
  }
  header.write(octal(Math.floor(modifiedAt.getTime() / 1000)), timeAt, "latin1");
  // The checksum field counts as blanks. Then the type of a regular file, magic and version.
  header.write("        0", checksumAt, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, checksumAt, "latin1");
  return header;
}

/** Parses a header; null unless it is, byte for byte, the output of `tarHeader`. */
export function parseTarHeader(header: Buffer): TarMember | null {
  if (header.length !== blockSize) return null;
  const name = header.toString("latin1", nameAt, nameAt + nameSize).replace(/\0.*$/s, "");
  const isLarge = header[sizeAt] === base256;
  const size = isLarge ? Number(header.readBigUInt64BE(sizeAt + 4)) : octalFrom(header, sizeAt);
  const member = { name, size, modifiedAt: new Date(octalFrom(header, timeAt) * 1000) };
  if (!Number.isSafeInteger(size) || Number.isNaN(member.modifiedAt.getTime())) return null;
  return tarHeader(member).equals(header) ? member : null;
}

/** Number of zeros after a member of this size. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** Size of a member with its header and padding. */
export function spaceOf(size: number): number {
  return blockSize + size + paddingOf(size);
}

function octal(value: number): string {
  return `${value.toString(8).padStart(11, "0")}\0`;
}

function octalFrom(header: Buffer, at: number): number {
  const text = header.toString("latin1", at, at + 11);
  return /^[0-7]{11}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}
