import { Parser } from "htmlparser2";
import type { Pull } from "./bytes.ts";

/** Events of an XML document. Names come without their prefixes. */
export type XmlEvents = {
  readonly onOpen: (name: string, attributes: Readonly<Record<string, string>>) => void;
  readonly onText: (text: string) => void;
  readonly onClose: (name: string) => void;
};

/** Input is parsed in slices of this size: a cell of 20 bytes may stand for a text of 100 KB. */
const sliceSize = 16 << 10;

/**
 * Reads an XML document slice by slice. `advance` reports the events of the next slice; false at the end. Entities
 * declared by the document are not expanded.
 */
export function xmlReader(pull: Pull, { onOpen, onText, onClose }: XmlEvents): { advance: () => Promise<boolean> } {
  const decoder = new TextDecoder();
  const parser = new Parser(
    {
      onopentag: (name, attributes) => onOpen(localName(name), attributes),
      ontext: onText,
      onclosetag: (name) => onClose(localName(name)),
    },
    { xmlMode: true },
  );
  let piece: Buffer | null = null;
  return {
    async advance() {
      if (piece === null || piece.length === 0) piece = await pull();
      if (piece === null) {
        parser.end(decoder.decode());
        return false;
      }
      parser.write(decoder.decode(piece.subarray(0, sliceSize), { stream: true }));
      piece = piece.subarray(sliceSize);
      return true;
    },
  };
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}
