import { crc32, deflateRawSync } from "node:zlib";

export type StreamedMember = { readonly name: string; readonly content: string | Uint8Array; readonly method?: 0 | 8 };

/** A .zip archive written as a stream: sizes and checksums follow the bytes of each file (data descriptors). */
export function streamedZipOf(
  members: readonly StreamedMember[],
  { hasSignature = true, isWide = false }: { hasSignature?: boolean; isWide?: boolean } = {},
): Buffer<ArrayBuffer> {
  const parts: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name: text, content, method = 8 } of members) {
    const name = Buffer.from(text);
    const bytes = Buffer.from(content);
    const packed = method === 8 ? deflateRawSync(bytes) : bytes;
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(8, 2);
    shared.writeUInt16LE(method, 4);
    shared.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), shared, name]);
    const sizeBytes = isWide ? 8 : 4;
    const sums = Buffer.alloc(4 + 2 * sizeBytes);
    sums.writeUInt32LE(crc32(bytes), 0);
    sums.writeUIntLE(packed.length, 4, 4);
    sums.writeUIntLE(bytes.length, 4 + sizeBytes, 4);
    parts.push(local, packed, Buffer.from(hasSignature ? "PK\x07\x08" : "", "latin1"), sums);
    shared.writeUInt32LE(crc32(bytes), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(bytes.length, 18);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    centrals.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), shared, tail, name]));
    offset = parts.reduce((sum, part) => sum + part.length, 0);
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(centrals.length, 8);
  end.writeUInt16LE(centrals.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.from(Buffer.concat([...parts, directory, end]));
}
