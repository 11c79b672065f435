import { fieldsOf } from "./labelled-fields.ts";
import { maxLineSize } from "./lines.ts";
import { LabelReader } from "./stealer-labels.ts";
import type { Label, LabelKind } from "./stealer-words.ts";
import { isBlankRange, isRow, nextLine, plainRowEnd } from "./text-lines.ts";

/** How the blocks of a text are separated, from its beginning. */
export type BlockRules = {
  /** Number of consecutive blank lines that end a block; 0 = blank lines never do. Rows of signs always end a block. */
  readonly endingBlanks: number;
  /** The order of the labels in most blocks. `software` is first or absent. */
  readonly order: readonly OrderedKind[];
  /** Whether rows or blank lines separate blocks. If not, only the order of the labels shows where a block begins. */
  readonly hasSeparators: boolean;
  /** Whether lines have several labels: `Login: jane.doe@example.com | Password: x`. */
  readonly hasFields: boolean;
};

export type CoreKind = Extract<LabelKind, "site" | "login" | "secret">;
export type OrderedKind = CoreKind | "software";

/** A range of the text. */
export type Range = { start: number; end: number };

/** The parts of one login. Ranges refer to the bytes it was read from; an empty range means absent. */
export type LoginEntry = {
  readonly site: Range;
  /** A second site in the same block. */
  readonly otherSite: Range;
  readonly port: Range;
  readonly login: Range;
  /** A second login in the same block, such as an address beside a nickname. */
  readonly otherLogin: Range;
  readonly secret: Range;
  hasSite: boolean;
  hasLogin: boolean;
  hasSecret: boolean;
  hasSoftware: boolean;
  /** Whether both ends are certain: the block stands between two separators. */
  isAlone: boolean;
  /** Whether the site may belong to another block. */
  isSiteDoubtful: boolean;
};

export function emptyEntry(): LoginEntry {
  const none = (): Range => ({ start: 0, end: 0 });
  return {
    site: none(),
    otherSite: none(),
    port: none(),
    login: none(),
    otherLogin: none(),
    secret: none(),
    hasSite: false,
    hasLogin: false,
    hasSecret: false,
    hasSoftware: false,
    isAlone: true,
    isSiteDoubtful: false,
  };
}

/** Receives entries. The reader reuses the entry object. */
export type EntrySink = {
  readonly add: (bytes: Buffer, entry: LoginEntry) => void;
  /** Reports text outside logins that holds an at-sign. */
  readonly noteText: (bytes: Buffer, start: number, end: number) => void;
  /** Reports a line over 64 KiB, which is not read. */
  readonly noteLongLine: (bytes: Buffer, start: number, end: number) => void;
};

const lineFeed = 0x0a;
const at = 0x40;
const stops = new Uint8Array(256);
stops[0x0a] = stops[0x0d] = stops[at] = 1;

/**
 * Reads blocks of labelled lines (docs/corpus-formats.md 4). A separator ends a block; the labels before it may be in
 * any order. Without separators a block ends where a label repeats or comes out of order. If two blocks may have been
 * read as one, the site is marked as doubtful, so that no login gets the site of another.
 */
export class BlockReader {
  readonly #rules: BlockRules;
  readonly #sink: EntrySink;
  readonly #ranks: Readonly<Record<OrderedKind, number>>;
  readonly #labels = new LabelReader();
  readonly #entry = emptyEntry();
  /** The position of the block's last label in the order; -1 outside a block. */
  #rank = -1;
  /** Whether the block's labels came in the order of the text. */
  #isInOrder = true;
  /** Whether the block began after a separator. */
  #isFresh = true;
  #siteWord: Label | null = null;
  #loginWord: Label | null = null;
  #secretWord: Label | null = null;
  /** `otherLogin` came after a login and its secret, so it may begin another block. */
  #isLoginLate = false;
  #otherLoginWord: Label | null = null;
  /** A label without a value; the next line may hold the value. */
  #waiting: Range | null = null;

  constructor(rules: BlockRules, sink: EntrySink) {
    this.#rules = rules;
    this.#sink = sink;
    const rankOf = (kind: OrderedKind) => rules.order.indexOf(kind);
    this.#ranks = {
      site: rankOf("site"),
      login: rankOf("login"),
      secret: rankOf("secret"),
      software: rankOf("software"),
    };
  }

  /** Reads whole blocks, from the start of a line. The byte at `to` is a line end. */
  read(bytes: Buffer, from: number, to: number): void {
    const { endingBlanks } = this.#rules;
    let blankCount = 0;
    for (let start = from; start < to; ) {
      const rowEnd = plainRowEnd(bytes, start);
      if (rowEnd >= 0) {
        blankCount = 0;
        this.#endBlock(bytes, true);
        start = nextLine(bytes, rowEnd);
        continue;
      }
      const label = this.#labels.read(bytes, start);
      const textStart = label === null ? start : this.#labels.valueStart;
      let end = textStart;
      let hasSign = false;
      for (;;) {
        while (stops[bytes[end] ?? lineFeed] === 0) end++;
        if (bytes[end] !== at) break;
        hasSign = true;
        end++;
      }
      if (label === null && isBlankRange(bytes, start, end)) {
        if (++blankCount === endingBlanks) this.#endBlock(bytes, true);
      } else {
        blankCount = 0;
        if (end - start > maxLineSize) this.#sink.noteLongLine(bytes, start, end);
        else if (label !== null && this.#rules.hasFields) this.#addFields(bytes, start, end);
        else if (label !== null) this.#addLabel(bytes, label, textStart, end, hasSign);
        else if (isRow(bytes, start, end)) this.#endBlock(bytes, true);
        else this.#addText(bytes, start, end, hasSign);
      }
      start = nextLine(bytes, end);
    }
    this.#endBlock(bytes, true);
  }

  #addText(bytes: Buffer, start: number, end: number, hasSign: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) setRange(waiting, start, end);
    // The login is examined when the block ends.
    if (hasSign && (waiting === null || waiting !== this.#entry.login)) this.#sink.noteText(bytes, start, end);
  }

  #addLabel(bytes: Buffer, label: Label, start: number, end: number, hasSign: boolean): void {
    const entry = this.#entry;
    const { kind } = label;
    this.#waiting = null;
    if (hasSign && kind !== "login") this.#sink.noteText(bytes, start, end);
    switch (kind) {
      case "site":
        this.#openFor(bytes, kind, entry.hasSite, label === this.#siteWord);
        this.#addSite(label, start, end);
        return;
      case "login":
        this.#addLogin(bytes, label, start, end, hasSign);
        return;
      case "secret":
        this.#openFor(bytes, kind, entry.hasSecret, label === this.#secretWord);
        // If a block has two secrets, the first counts.
        if (entry.hasSecret) return;
        entry.hasSecret = true;
        this.#secretWord = label;
        this.#wait(setRange(entry.secret, start, end));
        return;
      case "software":
        if (this.#ranks.software === 0 && this.#rank >= 0 && this.#isOutOfOrder(kind)) this.#endBlock(bytes, false);
        entry.hasSoftware = true;
        return;
      case "port":
        if (this.#rank >= 0) setRange(entry.port, start, end);
        return;
      case "other":
        return;
      default:
        kind satisfies never;
    }
  }

  #addFields(bytes: Buffer, start: number, end: number): void {
    const fields = fieldsOf(this.#labels, bytes, start, end);
    let isBehindSecret = false;
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index];
      if (field === undefined) break;
      const { label, valueStart } = field;
      const stop = fields[index + 1]?.start ?? end;
      const hasSign = holdsSign(bytes, valueStart, stop);
      // A secret may contain text that looks like a field.
      const isPartOfSecret = isBehindSecret && (label.kind === "login" ? this.#entry.hasLogin : this.#entry.hasSite);
      if (!isPartOfSecret) this.#addLabel(bytes, label, valueStart, stop, hasSign);
      else if (hasSign) this.#sink.noteText(bytes, valueStart, stop);
      isBehindSecret ||= label.kind === "secret";
    }
  }

  #addSite(label: Label, start: number, end: number): void {
    const entry = this.#entry;
    if (entry.hasSite && !isEmpty(entry.site)) {
      if (isEmpty(entry.otherSite)) setRange(entry.otherSite, start, end);
      return;
    }
    entry.hasSite = true;
    this.#siteWord = label;
    this.#wait(setRange(entry.site, start, end));
  }

  #addLogin(bytes: Buffer, label: Label, start: number, end: number, hasSign: boolean): void {
    const entry = this.#entry;
    const isFurther = entry.hasLogin && label !== this.#loginWord && this.#rules.hasSeparators;
    if (isFurther && this.#isComplete() && isEmpty(entry.otherLogin)) {
      setRange(entry.otherLogin, start, end);
      this.#otherLoginWord = label;
      this.#isLoginLate = true;
      return;
    }
    this.#openFor(bytes, "login", entry.hasLogin, label === this.#loginWord);
    if (!entry.hasLogin) {
      entry.hasLogin = true;
      this.#loginWord = label;
      this.#wait(setRange(entry.login, start, end));
    } else if (hasSign && isEmpty(entry.otherLogin)) {
      setRange(entry.otherLogin, start, end);
    } else if (hasSign) {
      this.#sink.noteText(bytes, start, end);
    }
  }

  /** Ends the block if a label of this kind begins another, and records its position. */
  #openFor(bytes: Buffer, kind: CoreKind, hasKind: boolean, isSameWord: boolean): void {
    const rank = this.#ranks[kind];
    if (this.#rank < 0) {
      // Without separators a program named earlier belongs to the previous block.
      if (!this.#rules.hasSeparators && rank === 0) this.#entry.hasSoftware = false;
    } else if (this.#isLoginLate && rank !== 0) {
      this.#moveLateLogin(bytes);
    } else if ((hasKind && (isSameWord || this.#isComplete())) || this.#isOutOfOrder(kind)) {
      this.#endBlock(bytes, false);
    }
    if (rank < this.#rank) this.#isInOrder = false;
    this.#rank = rank;
  }

  /** Moves the second login of a block to the next block, where it was the first label. */
  #moveLateLogin(bytes: Buffer): void {
    const { start, end } = this.#entry.otherLogin;
    const label = this.#otherLoginWord;
    setRange(this.#entry.otherLogin, 0, 0);
    this.#endBlock(bytes, false);
    this.#rank = this.#ranks.login;
    this.#loginWord = label;
    this.#entry.hasLogin = true;
    setRange(this.#entry.login, start, end);
  }

  /** Whether a label cannot continue the block: it comes out of order and no separator preceded the block. */
  #isOutOfOrder(kind: OrderedKind): boolean {
    return this.#ranks[kind] < this.#rank && (!this.#rules.hasSeparators || !this.#isFresh);
  }

  #isComplete(): boolean {
    return this.#entry.hasLogin && this.#entry.hasSecret;
  }

  #wait(range: Range): void {
    this.#waiting = isEmpty(range) ? range : null;
  }

  #endBlock(bytes: Buffer, isSeparator: boolean): void {
    const entry = this.#entry;
    if (entry.hasLogin || (entry.hasSite && entry.hasSecret)) {
      entry.isAlone = isSeparator && this.#isFresh;
      entry.isSiteDoubtful = !isSeparator && !this.#isInOrder;
      this.#sink.add(bytes, entry);
    }
    this.#isFresh = isSeparator;
    if (this.#rank < 0 && !entry.hasSoftware) return;
    this.#rank = -1;
    this.#isInOrder = true;
    this.#siteWord = this.#loginWord = this.#secretWord = this.#otherLoginWord = this.#waiting = null;
    this.#isLoginLate = false;
    entry.hasSite = entry.hasLogin = entry.hasSecret = entry.hasSoftware = false;
    // Reset one by one: a loop over a list costs a tenth of the total reading time.
    setRange(entry.site, 0, 0);
    setRange(entry.otherSite, 0, 0);
    setRange(entry.port, 0, 0);
    setRange(entry.login, 0, 0);
    setRange(entry.otherLogin, 0, 0);
    setRange(entry.secret, 0, 0);
  }
}

function holdsSign(bytes: Buffer, start: number, end: number): boolean {
  for (let from = start; from < end; from++) if (bytes[from] === at) return true;
  return false;
}

export function setRange(range: Range, start: number, end: number): Range {
  range.start = start;
  range.end = end;
  return range;
}

function isEmpty({ start, end }: Range): boolean {
  return start === end;
}
