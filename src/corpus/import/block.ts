import type { Plan } from "../formats/format.ts";

/** Bytes handed to a lane at a time. */
export const blockSize = 1 << 20;

/** A stretch of a block that belongs to one text. The byte behind it is a line end. */
export type Piece = {
  readonly start: number;
  readonly end: number;
  /** The number of the text in its import. */
  readonly entry: number;
  readonly plan: Plan;
  /** Whether the text begins here, and whether it ends here. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** The beginning of the piece is the rest of a record that was longer than a block. */
  readonly isRest: boolean;
};

/** What a lane reads at a time. Blocks are numbered in the order of the import. */
export type Block = { readonly number: number; readonly pieces: readonly Piece[] };
