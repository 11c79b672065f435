/** A member of a tar archive; missing fields have the values of a regular file. */
export type TarMember = {
  readonly name: string | Buffer;
  readonly content?: string | Uint8Array;
  readonly type?: string;
  readonly prefix?: string;
  /** Size in the header. */
  readonly size?: Buffer;
  /** Pax records before the member. */
  readonly pax?: Readonly<Record<string, string>>;
};

/** A tar archive (POSIX ustar) with two blocks of zeros at its end. */
export function tarOf(members: readonly TarMember[]): Buffer<ArrayBuffer> {
  return Buffer.from(Buffer.concat([...members.flatMap(blocksOf), Buffer.alloc(1024)]));
}

function blocksOf({ name, content = "", type = "0", prefix = "", size, pax }: TarMember): Buffer[] {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(512);
  Buffer.from(name).copy(header, 0, 0, 100);
  header.write("0000644\0", 100, "latin1");
  (size ?? Buffer.from(`${bytes.length.toString(8).padStart(11, "0")}\0`)).copy(header, 124);
  header.write("00000000000\0", 136, "latin1");
  header.write("        ", 148, "latin1");
  header.write(type, 156, "latin1");
  header.write("ustar\0", 257, "latin1");
  header.write("00", 263, "latin1");
  header.write(prefix, 345, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  const before = pax === undefined ? [] : blocksOf({ name: "pax", content: paxRecords(pax), type: "x" });
  return [...before, header, bytes, padding];
}

function paxRecords(records: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.from(` ${key}=${value}\n`);
      // The length counts its own digits.
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
}
