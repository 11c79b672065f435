import { ByteReader } from "./bytes.ts";
import type { Container, OpenMember } from "./container.ts";
import { decompress, type Packing } from "./decompress.ts";
import { bytesInMemory, type RandomBytes } from "./disk-file.ts";
import { type Kind, kindOf, kindSize, pipe, splitZip } from "./kinds.ts";
import type { Meter } from "./meter.ts";
import { openTables } from "./open-document.ts";
import { type OpenPart, openWorkbook } from "./spreadsheet.ts";
import { openTar } from "./tar.ts";
import { type ContentSink, openText, type Text } from "./text.ts";
import { Unread } from "./unread.ts";
import { isLastZipPart, openZip, readZip, type ZipArchive } from "./zip.ts";
import { openZipStream } from "./zip-stream.ts";

/** A file after unpacking: a text or a container. `close` frees the resources and closes the file. */
export type Unfolded =
  | { readonly text: Text; readonly isPacked: boolean; readonly close: () => void | Promise<void> }
  | { readonly container: Container; readonly close: () => void | Promise<void> };

/** Layers of compression around one file, such as the two of a `.tar.gz` in a `.gz`. */
const maxLayers = 3;
/** A nested archive, or one from standard input, is held in memory up to this size. */
const maxHeldArchive = 16 << 20;

export type UnfoldOptions = {
  readonly member: OpenMember;
  /** Its file name; null if it has none. */
  readonly name: string | null;
  readonly meter: Meter;
  /** Whether the file is the whole input. Then an uncompressed text has the hash of the file. */
  readonly isAlone: boolean;
};

/** Unpacks a file until a text or an archive is left. Throws `Unread`; then the caller closes the file. */
export function unfold(options: UnfoldOptions): Unfolded | Promise<Unfolded> {
  return unfoldLayer({ ...options, layers: [] });
}

type Layer = UnfoldOptions & { readonly layers: readonly Packing[] };

function unfoldLayer(layer: Layer): Unfolded | Promise<Unfolded> {
  const held = layer.member.reader.hold(kindSize);
  return held === undefined ? unfoldKind(layer) : held.then(() => unfoldKind(layer));
}

function unfoldKind(layer: Layer): Unfolded | Promise<Unfolded> {
  const { member, name, meter, layers, isAlone } = layer;
  const kind = kindIn(layer);
  if (kind === "zip") return unfoldZip(layer);
  const reader = countedReader(layer);
  if (kind === "tar") return { container: openTar(reader), close: member.close };
  if (kind !== "text") return unpack(layer, reader, kind);
  const isPacked = layers.length > 0;
  const text = openText(reader, name, isAlone && !isPacked ? noContent : meter);
  const done = (opened: Text): Unfolded => ({ text: opened, isPacked, close: member.close });
  return text instanceof Promise ? text.then(done) : done(text);
}

const noContent: ContentSink = { addContent: () => undefined, beginContent: () => undefined };

/** The name is used only for the outer layer: it does not describe the unpacked file. */
function kindIn({ member, name, layers }: Layer): Kind {
  try {
    return kindOf(member.reader.held.subarray(0, kindSize), layers.length === 0 ? name : null);
  } catch (error) {
    // The last part of a split archive has no mark at its start.
    const isNamedZip = member.random !== null && name?.toLowerCase().endsWith(".zip");
    throw isNamedZip && member.random !== null && isLastZipPart(member.random) ? new Unread(splitZip()) : error;
  }
}

/** Counts reads of a file on disk. All other readers read bytes that are counted already. */
function countedReader({ member: { reader, random }, meter }: Layer): ByteReader {
  if (random === null) return reader;
  if (!reader.isEnded) return new ByteReader(meter.counted(reader.pull));
  meter.count(reader.held);
  return reader;
}

async function unpack(layer: Layer, reader: ByteReader, packing: Packing): Promise<Unfolded> {
  const { member, meter, layers } = layer;
  if (layers.length === maxLayers) throw new Unread(`packed more than ${maxLayers} times over`);
  // The xz library decodes one stream at a time: a nested one would wait for the end of the outer one.
  if (packing === "xz" && layers.includes("xz")) throw new Unread(`xz data within xz data: ${pipe("xz -dc FILE")}`);
  const unpacking = decompress(reader, packing);
  const close = () => {
    unpacking.close();
    return member.close();
  };
  const inner = { reader: new ByteReader(meter.limited(unpacking.pull)), random: null, close };
  try {
    return await unfoldLayer({ ...layer, member: inner, layers: [...layers, packing] });
  } catch (error) {
    unpacking.close();
    throw error;
  }
}

/** The mark before the parts of a split archive that were concatenated. */
const splitMark = Buffer.from("504b0708", "hex");

async function unfoldZip(layer: Layer): Promise<Unfolded> {
  const { member, meter } = layer;
  const { reader, random, close } = member;
  if (reader.held.subarray(0, splitMark.length).equals(splitMark)) {
    // The directory holds offsets within the parts, so the archive is read as a stream.
    const joined = countedReader(layer);
    await joined.hold(splitMark.length);
    joined.take(splitMark.length);
    return { container: limitedContainer(openZipStream(joined), meter), close };
  }
  if (random !== null) {
    const bytesBefore = meter.bytesRead;
    const container = await openArchive(readZip(meter.countedRandom(random)), meter);
    return { container: hashedAtEnd(container, random, meter, bytesBefore), close };
  }
  await reader.hold(maxHeldArchive + 1);
  if (reader.isEnded) return { container: await openArchive(readZip(bytesInMemory(reader.held)), meter), close };
  refuseOfficeStream(reader.held);
  return { container: limitedContainer(openZipStream(reader), meter), close };
}

/** Its files are read at random offsets, so the archive is hashed from start to end when it has been read. */
function hashedAtEnd(container: Container, random: RandomBytes, meter: Meter, bytesBefore: number): Container {
  return {
    async next() {
      const member = await container.next();
      if (member !== null) return member;
      const pull = random.range(0, random.size);
      for (let chunk = await pull(); chunk !== null; chunk = await pull()) meter.packed.update(chunk);
      meter.bytesRead = bytesBefore + random.size;
      return null;
    },
    close: container.close,
  };
}

function limitedContainer(container: Container, meter: Meter): Container {
  return {
    async next() {
      const member = await container.next();
      if (member === null) return null;
      return {
        path: member.path,
        open() {
          const opened = member.open();
          if (opened.reader.isEnded) return opened;
          return { ...opened, reader: new ByteReader(meter.limited(opened.reader.pull)) };
        },
      };
    },
    close: container.close,
  };
}

/** Documents have few parts. The directory of a larger archive is not searched for them. */
const maxParts = 10_000;

async function openArchive(archive: ZipArchive, meter: Meter): Promise<Container> {
  const parts = archive.count <= maxParts ? partsOf(archive) : new Map<string, number>();
  const open: OpenPart = (path) => {
    const index = parts.get(path.toLowerCase());
    return index === undefined ? null : archive.open(archive.record(index));
  };
  const limited = (container: Container) => limitedContainer(container, meter);
  if (parts.has("xl/workbook.xml")) return limited(await openWorkbook(open));
  const content = parts.has("mimetype") && parts.has("content.xml") ? open("content.xml") : null;
  if (content === null) {
    refuseDocument(parts);
    return limited(openZip(archive));
  }
  const mimetype = await textOf(open("mimetype"));
  if (mimetype.startsWith("application/vnd.oasis.opendocument.spreadsheet")) return limited(openTables(content));
  content.close();
  throw new Unread(wordProcessor);
}

function partsOf(archive: ZipArchive): Map<string, number> {
  const parts = new Map<string, number>();
  for (let index = 0; index < archive.count; index++) parts.set(archive.record(index).path.toLowerCase(), index);
  return parts;
}

async function textOf(part: ReturnType<OpenPart>): Promise<string> {
  if (part === null) return "";
  await part.reader.hold(kindSize);
  part.close();
  return part.reader.held.toString("latin1", 0, kindSize);
}

const wordProcessor = `a document of a word processor or the like (.docx, .pptx, .odt): ${pipe("soffice --headless --cat FILE")}`;

/** A part that is typical of a document, and the kind of document. */
const documents: Readonly<Record<string, string>> = {
  "word/document.xml": wordProcessor,
  "ppt/presentation.xml": wordProcessor,
  "xl/workbook.bin": "a binary workbook (.xlsb): soffice --headless --convert-to csv FILE",
  "index/document.iwa": "a document of Apple Numbers, Pages or Keynote; export it as CSV or text",
  "androidmanifest.xml": "an Android program",
};

function refuseDocument(parts: ReadonlyMap<string, number>): void {
  for (const [part, reason] of Object.entries(documents)) if (parts.has(part)) throw new Unread(reason);
}

/** Refuses a workbook in a stream: it needs random access. */
function refuseOfficeStream(held: Buffer): void {
  const name = held.toString("latin1", 30, 30 + held.readUInt16LE(26));
  if (!/^(?:\[Content_Types\]\.xml|_rels\/.*|mimetype|xl\/.*)$/.test(name)) return;
  const size = `${maxHeldArchive >> 20} MiB`;
  throw new Unread(`an Office document of over ${size} within another file or in a pipe; import it as a file`);
}
