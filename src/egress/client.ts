/** One request to an upstream. Addresses inside `url` are already percent-encoded. */
export type HttpRequest = {
  readonly method?: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Cap on the body after decompression, in bytes; default 1 MiB (CONTRACT.md 11.3). */
  readonly maxBytes?: number;
};

export type HttpResponse = {
  readonly status: number;
  /** Lower-case names; the last value of a repeated one. */
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body, decompressed. */
  readonly body: Uint8Array;
};

export type HttpClient = {
  /** Throws `SourceError`: `unreachable`, `tls`, `timeout`, `redirect`, `too_large`, `bad_answer` (broken body). */
  readonly request: (request: HttpRequest) => Promise<HttpResponse>;
};
