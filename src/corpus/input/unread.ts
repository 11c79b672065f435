import { CorpusError } from "../error.ts";

/**
 * A file that is not read, and why. It fails an import of this file alone, and is left out of a folder or an archive.
 * `reason` completes the sentence "the file is ..." and never contains a name.
 */
export class Unread extends CorpusError {
  readonly reason: string;

  constructor(reason: string, options?: { cause?: unknown }) {
    super("refused", `the file is ${reason}`, options);
    this.reason = reason;
  }
}

/**
 * A file that is truncated, has a wrong checksum or is hostile. If part of it has been handed out already, the whole
 * import fails: a partly read file is never published.
 */
export class Damaged extends Unread {}
