/**
 * Why an import or another action on corpora did not happen: no such file; the file is refused; the state or a rule
 * forbids it; a value is not acceptable.
 */
export type CorpusErrorKind = "not_found" | "refused" | "conflict" | "invalid";

/** One line for the operator: what was wrong and what is wanted. It never holds a part of a record. */
export class CorpusError extends Error {
  override readonly name = "CorpusError";
  readonly kind: CorpusErrorKind;

  constructor(kind: CorpusErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}
