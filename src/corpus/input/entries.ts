import { CorpusError } from "../error.ts";
import type { Pull } from "./bytes.ts";
import type { Container, Member } from "./container.ts";
import { lastPart, safeName } from "./entry-name.ts";
import type { LeftOutList } from "./left-out.ts";
import type { Meter } from "./meter.ts";
import type { InputEntry } from "./open-input.ts";
import type { Text } from "./text.ts";
import { unfold } from "./unfold.ts";
import { Damaged, Unread } from "./unread.ts";

/** Levels of nested archives: one archive and two more inside it. */
const maxArchives = 3;
/** A folder with more files is not a breach (docs/pipeline.md 21.8). */
const maxCount = 10_000_000;
/** How long this thread works before it lets signals and timers run. */
const sliceMs = 20;

/** An open folder or archive. */
type Frame = {
  readonly container: Container;
  /** The prefix of the paths inside. */
  readonly prefix: string;
  readonly close: () => void | Promise<void>;
  /** The number of texts handed out before it was opened. */
  readonly textsBefore: number;
};

export type EntriesOptions = {
  readonly root: Container;
  /** Whether the root is a folder. Unreadable files are left out of a folder; a single archive is refused for them. */
  readonly isFolder: boolean;
  readonly close: () => void | Promise<void>;
  readonly meter: Meter;
  readonly leftOut: LeftOutList;
  readonly signal: AbortSignal;
};

/**
 * Reads the texts of a folder or an archive, and of the archives inside, in order. A file that is not text is left out,
 * with the reason. A damaged or truncated file is left out of a folder if none of its content has been handed out;
 * otherwise, and always in an archive imported alone, it fails the import. Throws when there is no text at all, and
 * lists what was left out.
 */
export class Entries implements AsyncIterableIterator<InputEntry> {
  readonly #options: EntriesOptions;
  readonly #frames: Frame[];
  #current: OpenEntry | null = null;
  #count = 0;
  #textCount = 0;
  #sliceEnd = 0;

  constructor(options: EntriesOptions) {
    this.#options = options;
    this.#frames = [{ container: options.root, prefix: "", close: options.close, textsBefore: 0 }];
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<InputEntry>> {
    await this.#closeCurrent();
    for (;;) {
      await this.#pause();
      const frame = this.#frames.at(-1);
      if (frame === undefined) return { done: true, value: undefined };
      const member = await this.#nextMember(frame);
      if (member === null) continue;
      const entry = await this.#open(member, frame);
      if (entry === null) continue;
      this.#current = entry;
      this.#textCount++;
      return { done: false, value: entry };
    }
  }

  /** Closes everything that is open. */
  async return(): Promise<IteratorResult<InputEntry>> {
    await this.#closeCurrent();
    await this.#leave(0);
    return { done: true, value: undefined };
  }

  async #nextMember(frame: Frame): Promise<Member | null> {
    try {
      const next = frame.container.next();
      const member = next instanceof Promise ? await next : next;
      if (member === null) {
        await this.#leave(this.#frames.length - 1);
        if (this.#frames.length === 0) this.#refuseNothing();
        return null;
      }
      if (++this.#count > maxCount) throw new CorpusError("refused", `there are more than ${maxCount} files`);
      return member;
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      this.#leaveOutDamaged(frame.prefix.slice(0, -1), error, frame.textsBefore);
      await this.#leave(this.#frames.length - 1);
      return null;
    }
  }

  async #open(member: Member, frame: Frame): Promise<OpenEntry | null> {
    const { meter, leftOut, signal } = this.#options;
    const path = frame.prefix + member.path;
    const name = lastPart(member.path);
    let close: () => void | Promise<void> = () => undefined;
    try {
      const opened = member.open();
      close = opened.close;
      const unfolding = unfold({ member: opened, name, meter, isAlone: false });
      const unfolded = unfolding instanceof Promise ? await unfolding : unfolding;
      close = unfolded.close;
      if ("text" in unfolded) return this.#entryOf(unfolded.text, path, name, close);
      this.#enter(unfolded.container, path, close);
      return null;
    } catch (error) {
      meter.endContent(false);
      await close();
      signal.throwIfAborted();
      if (error instanceof Damaged) this.#leaveOutDamaged(path, error, this.#textCount);
      else if (error instanceof Unread) leftOut.add(path, error.reason);
      else if (error instanceof CorpusError && error.kind === "not_found")
        leftOut.add(path, "gone since it was listed");
      else throw error;
      return null;
    }
  }

  #entryOf(text: Text, path: string, name: string, close: () => void | Promise<void>): OpenEntry {
    const { meter, signal } = this.#options;
    return new OpenEntry({
      name: safeName(path),
      innerName: name,
      text,
      signal,
      close(isRead) {
        meter.endContent(isRead);
        return close();
      },
    });
  }

  #enter(container: Container, path: string, close: () => void | Promise<void>): void {
    const depth = this.#frames.length - (this.#options.isFolder ? 1 : 0);
    if (depth >= maxArchives) throw new Unread(`an archive more than ${maxArchives} levels deep; unpack it first`);
    this.#frames.push({ container, prefix: `${path}/`, close, textsBefore: this.#textCount });
  }

  /**
   * Leaves out a damaged file of a folder. Throws when part of it has been handed out, or when the root is an archive.
   */
  #leaveOutDamaged(path: string, error: Unread, textsBefore: number): void {
    if (this.#options.isFolder && this.#textCount === textsBefore) {
      this.#options.leftOut.add(path, error.reason);
      return;
    }
    const message = path === "" ? error.message : `${safeName(path)}: ${error.message}`;
    throw new CorpusError("refused", message, { cause: error });
  }

  /** Closes the open folders and archives, except for the first `count`. */
  async #leave(count: number): Promise<void> {
    for (const frame of this.#frames.splice(count).reverse()) {
      await frame.container.close();
      await frame.close();
    }
  }

  async #closeCurrent(): Promise<void> {
    const entry = this.#current;
    this.#current = null;
    await entry?.finish();
  }

  #refuseNothing(): void {
    if (this.#textCount > 0) return;
    const { isFolder, leftOut } = this.#options;
    if (leftOut.count === 0) throw new CorpusError("refused", `the ${isFolder ? "folder" : "archive"} holds no files`);
    throw new CorpusError("refused", `it holds no file with text: ${leftOut.describe()}`);
  }

  /** Lets signals and timers run between the synchronous calls. */
  async #pause(): Promise<void> {
    this.#options.signal.throwIfAborted();
    const now = performance.now();
    if (now < this.#sliceEnd) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#options.signal.throwIfAborted();
    this.#sliceEnd = performance.now() + sliceMs;
  }
}

type OpenEntryOptions = {
  readonly name: string | null;
  readonly innerName: string | null;
  readonly text: Text;
  readonly signal: AbortSignal;
  readonly close: (isRead: boolean) => void | Promise<void>;
};

/** An entry that is being read. It is the iterator of its own chunks and can be read once. */
export class OpenEntry implements InputEntry, AsyncIterableIterator<Buffer> {
  readonly name: string | null;
  readonly innerName: string | null;
  readonly head: Buffer;
  readonly isWhole: boolean;
  readonly #pull: Pull;
  readonly #signal: AbortSignal;
  readonly #close: (isRead: boolean) => void | Promise<void>;
  #isRead = false;
  #isOver = false;

  constructor({ name, innerName, text, signal, close }: OpenEntryOptions) {
    this.name = name;
    this.innerName = innerName?.replace(packedEnding, "") ?? null;
    this.head = text.head;
    this.isWhole = text.isWhole;
    this.#pull = text.pull;
    this.#signal = signal;
    this.#close = close;
  }

  get chunks(): AsyncIterable<Buffer> {
    return this;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer>> {
    this.#signal.throwIfAborted();
    this.#isRead = true;
    try {
      for (;;) {
        const next = this.#isOver ? null : this.#pull();
        const chunk = next instanceof Promise ? await next : next;
        if (chunk === null) return { done: true, value: undefined };
        if (chunk.length > 0) return { done: false, value: chunk };
      }
    } catch (error) {
      if (this.name === null || !(error instanceof CorpusError)) throw error;
      throw new CorpusError(error.kind, `${this.name}: ${error.message}`, { cause: error });
    }
  }

  async return(): Promise<IteratorResult<Buffer>> {
    this.#isOver = true;
    return { done: true, value: undefined };
  }

  /** Closes the entry, whether it was read or not. */
  finish(): void | Promise<void> {
    this.#isOver = true;
    return this.#close(this.#isRead);
  }
}

/** The ending of a compressed file. It does not describe the text inside. */
const packedEnding = /\.(?:gz|zst|xz)$/i;
