import { CorpusError } from "../error.ts";

/**
 * Why a file is not read. A file that is imported alone is refused for it; one of many is left out. `reason` continues
 * "the file is"; it never holds a name.
 */
export class Unread extends CorpusError {
  readonly reason: string;

  constructor(reason: string, options?: { cause?: unknown }) {
    super("refused", `the file is ${reason}`, options);
    this.reason = reason;
  }
}

/**
 * A file that breaks off, does not match its checksum or wants to do harm. When something of it has been handed out
 * already, the whole import is refused: nothing half-read is ever published.
 */
export class Damaged extends Unread {}
