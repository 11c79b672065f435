const headEnd = Buffer.from("\r\n\r\n");

/** Finds the ends of HTTP/1.1 answers with a Content-Length, in pieces of any size. */
export class ResponseReader {
  #pending: Buffer | null = null;
  #missingBytes = 0;
  #status = 0;

  /**
   * The status of the answer completed by this piece, or 0. Only one request is in flight, so at most one answer ends.
   */
  push(piece: Buffer): number {
    if (this.#missingBytes > 0) return this.#take(piece.length);
    const bytes = this.#pending === null ? piece : Buffer.concat([this.#pending, piece]);
    const end = bytes.indexOf(headEnd);
    if (end < 0) {
      this.#pending = Buffer.from(bytes);
      return 0;
    }
    this.#pending = null;
    const head = bytes.toString("latin1", 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`an answer without a length: ${head}`);
    this.#status = Number(head.slice(9, 12));
    this.#missingBytes = Number(length);
    return this.#take(bytes.length - end - headEnd.length);
  }

  #take(count: number): number {
    this.#missingBytes -= count;
    if (this.#missingBytes < 0) throw new Error("more bytes than the answer's length");
    return this.#missingBytes === 0 ? this.#status : 0;
  }
}
