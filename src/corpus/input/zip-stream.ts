import { crc32 } from "node:zlib";
import { ByteReader, type Pull } from "./bytes.ts";
import { type Container, type Member, streamedMember } from "./container.ts";
import {
  centralSize,
  damaged,
  limitExpansion,
  localSize,
  parseRecord,
  refuseRecord,
  smallSize,
  stored,
  unpackSmall,
  unpackStream,
  type ZipRecord,
} from "./zip-record.ts";

const localMagic = 0x04034b50;
const centralMagic = 0x02014b50;
const endMagic = 0x06054b50;
const end64Magic = 0x06064b50;
const extraDataMagic = 0x08064b50;
const descriptorMagic = Buffer.from("504b0708", "hex");
/** Signature, checksum and two sizes of 8 bytes. */
const maxDescriptorSize = 24;

/**
 * Reads the files of a .zip archive from a stream, in archive order, by the record before each file. The piped data is
 * full of secrets and never touches the disk. The number of files in the directory at the end is checked, so that a
 * truncated archive is noticed. Throws `Unread` at the first file that is encrypted or packed with an unsupported
 * method, and `Damaged` like `readZip`.
 */
export function openZipStream(reader: ByteReader): Container {
  let rest: (() => Promise<void>) | null = null;
  let fileCount = 0;

  async function holdExactly(size: number): Promise<Buffer> {
    await reader.hold(size);
    if (reader.held.length < size) throw damaged("it is cut short");
    return reader.held.subarray(0, size);
  }

  /** A record of a fixed size, with its name and extra fields. */
  async function whole(fixedSize: number, lengthsAt: readonly number[]): Promise<Buffer> {
    const fixed = await holdExactly(fixedSize);
    const size = lengthsAt.reduce((sum, at) => sum + fixed.readUInt16LE(at), fixedSize);
    return Buffer.from(await holdExactly(size));
  }

  async function next(): Promise<Member | null> {
    for (;;) {
      await rest?.();
      rest = null;
      const magic = (await holdExactly(4)).readUInt32LE(0);
      if (magic !== localMagic) {
        await checkDirectory();
        return null;
      }
      const local = await whole(localSize, [26, 28]);
      reader.take(local.length);
      const record = parseRecord(local, "local");
      refuseRecord(record);
      fileCount++;
      const member = await openMember(record);
      if (!record.path.endsWith("/")) return member;
    }
  }

  async function openMember(record: ZipRecord): Promise<Member> {
    const hasDescriptor = (record.flags & 8) !== 0;
    const isKnown = record.packedSize > 0 && record.packedSize < 0xffffffff;
    if (record.path.endsWith("/") && record.method === stored && !isKnown) return await openFolder(record);
    // Some programs set the descriptor flag although the sizes are known.
    if (!hasDescriptor || isKnown) {
      if (record.size <= smallSize && record.packedSize <= smallSize) {
        const packed = await holdExactly(record.packedSize);
        const bytes = Buffer.from(unpackSmall(record, packed));
        reader.take(record.packedSize);
        if (hasDescriptor) await takeDescriptor(record.size, record.crc, record.packedSize);
        return streamedMember(record.path, ByteReader.of(bytes));
      }
      const packed = new ByteReader(reader.limited(record.packedSize));
      const end = hasDescriptor
        ? async () => void (await takeDescriptor(record.size, record.crc, record.packedSize))
        : async () => undefined;
      return streaming(record, packed, () => record.packedSize, end);
    }
    return record.method === stored ? storedWithDescriptor(record) : deflatedWithDescriptor(record);
  }

  /** A folder has no bytes, but may have a descriptor. */
  async function openFolder(record: ZipRecord): Promise<Member> {
    await reader.hold(descriptorMagic.length);
    if (reader.held.subarray(0, descriptorMagic.length).equals(descriptorMagic)) await takeDescriptor(0, 0, 0);
    return streamedMember(record.path, ByteReader.of(Buffer.alloc(0)));
  }

  function deflatedWithDescriptor(record: ZipRecord): Member {
    let packedSize = 0;
    // The deflate stream gives unused bytes back to this reader, which gives them back to the archive.
    const packed = new ByteReader(() => {
      const count = (chunk: Buffer | null) => {
        packedSize += chunk?.length ?? 0;
        return chunk;
      };
      const piece = reader.pull();
      return piece instanceof Promise ? piece.then(count) : count(piece);
    });
    const { pull, close } = unpackStream(record.method, packed, (size, crc) => {
      const unused = packed.take(packed.held.length);
      packedSize -= unused.length;
      if (unused.length > 0) reader.giveBack(unused);
      return takeDescriptor(size, crc, packedSize);
    });
    return handOut(
      record.path,
      limitExpansion(pull, () => packedSize),
      close,
    );
  }

  /** Stored bytes of unknown length. They end where a descriptor matches the bytes before it. */
  function storedWithDescriptor(record: ZipRecord): Member {
    let size = 0;
    let crc = 0;
    const take = (count: number): Buffer => {
      const taken = reader.take(count);
      size += count;
      crc = crc32(taken, crc);
      return taken;
    };
    let isEnded = false;
    const pull: Pull = async () => {
      for (;;) {
        if (isEnded) return null;
        await reader.hold(maxDescriptorSize);
        const at = reader.held.indexOf(descriptorMagic);
        if (at < 0) {
          if (reader.isEnded) throw damaged("it is cut short");
          // The last bytes may be the start of a signature.
          return take(reader.held.length - (descriptorMagic.length - 1));
        }
        await reader.hold(at + maxDescriptorSize);
        const crcThere = crc32(reader.held.subarray(0, at), crc);
        if (descriptorLength(reader.held.subarray(at), size + at, crcThere, size + at) === null) return take(at + 1);
        isEnded = true;
        const last = Buffer.from(take(at));
        await takeDescriptor(size, crc, size);
        if (last.length > 0) return last;
      }
    };
    return handOut(record.path, pull, () => undefined);
  }

  function streaming(
    record: ZipRecord,
    packed: ByteReader,
    packedSize: () => number,
    end: () => Promise<void>,
  ): Member {
    const { pull, close } = unpackStream(record.method, packed, async () => {
      // A deflate stream may end before its stated packed size.
      while ((await packed.pull()) !== null);
      await end();
      return record;
    });
    return handOut(record.path, limitExpansion(pull, packedSize), close);
  }

  /** A file whose unread rest is consumed when the next file is requested. */
  function handOut(path: string, pull: Pull, close: () => void): Member {
    let isEnded = false;
    const watched: Pull = async () => {
      const chunk = isEnded ? null : await pull();
      isEnded = chunk === null;
      return chunk;
    };
    rest = async () => {
      while ((await watched()) !== null);
      close();
    };
    return streamedMember(path, new ByteReader(watched));
  }

  /** Takes the descriptor after a file and returns its values. */
  async function takeDescriptor(size: number, crc: number, packedSize: number) {
    await reader.hold(maxDescriptorSize);
    const length = descriptorLength(reader.held, size, crc, packedSize);
    if (length === null) throw damaged("a file in it is damaged");
    reader.take(length);
    return { size, crc, packedSize };
  }

  /** Reads the directory to its end. It must list as many files as came before it. */
  async function checkDirectory(): Promise<void> {
    let count = 0;
    for (;;) {
      const magic = (await holdExactly(4)).readUInt32LE(0);
      if (magic === centralMagic) {
        count++;
        reader.take((await whole(centralSize, [28, 30, 32])).length);
      } else if (magic === extraDataMagic) {
        reader.take(8 + (await holdExactly(8)).readUInt32LE(4));
      } else if (magic === endMagic || magic === end64Magic) {
        break;
      } else {
        throw damaged(fileCount === 0 ? "it is cut short" : "a file in it is damaged");
      }
    }
    if (count !== fileCount) throw damaged("its directory names other files than it holds; import it as a file");
    const tail = await lastBytes();
    if (!tail.includes(Buffer.from("504b0506", "hex"))) throw damaged("it is cut short");
  }

  async function lastBytes(): Promise<Buffer> {
    await reader.hold(128 << 10);
    const tail = Buffer.from(reader.held);
    if (!reader.isEnded) throw damaged("data follows its end");
    if (tail.length < 22) throw damaged("it is cut short");
    return tail;
  }

  return { next, close: () => undefined };
}

/**
 * The length of the descriptor at the start of these bytes, with or without signature, with sizes of 4 or 8 bytes; null
 * when no descriptor of this file is there.
 */
function descriptorLength(bytes: Buffer, size: number, crc: number, packedSize: number): number | null {
  for (const start of [4, 0]) {
    if (start > 0 && !bytes.subarray(0, start).equals(descriptorMagic)) continue;
    if (bytes.length < start + 12 || bytes.readUInt32LE(start) !== crc) continue;
    const isWide =
      bytes.length >= start + 20 &&
      Number(bytes.readBigUInt64LE(start + 4)) === packedSize &&
      Number(bytes.readBigUInt64LE(start + 12)) === size;
    if (isWide) return start + 20;
    if (bytes.readUInt32LE(start + 4) === packedSize >>> 0 && bytes.readUInt32LE(start + 8) === size >>> 0) {
      return start + 12;
    }
  }
  return null;
}
