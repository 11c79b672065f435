/**
 * Why an action on corpora failed: the file does not exist, the file is refused, the current state or a rule forbids
 * it, or a value is invalid.
 */
export type CorpusErrorKind = "not_found" | "refused" | "conflict" | "invalid";

/**
 * A failed action on corpora. The message is one line for the operator: what is wrong and what is wanted. It never
 * contains part of a record.
 */
export class CorpusError extends Error {
  override readonly name = "CorpusError";
  readonly kind: CorpusErrorKind;

  constructor(kind: CorpusErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}
