import type { Plan } from "../formats/format.ts";

/** Bytes handed to a lane at a time. */
export const blockSize = 1 << 20;

/** Part of a block that belongs to one text. A line feed follows it. */
export type Piece = {
  readonly start: number;
  readonly end: number;
  /** The number of the text in its import. */
  readonly entry: number;
  readonly plan: Plan;
  /** Whether the text begins with this piece, and whether it ends with it. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** The piece begins with the rest of a record that is longer than a block. */
  readonly isRest: boolean;
};

/** The pieces in the buffer that a lane reads next. Blocks are numbered in the order of the import. */
export type Block = { readonly number: number; readonly pieces: readonly Piece[] };
