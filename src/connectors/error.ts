/** A look-up that gave no case. The platform shows the message, which contains no key. */
export class ConnectorError extends Error {
  override readonly name = "ConnectorError";
  /** `pending`: the scan still runs, ask again later. `failed`: no source answered. `error`: everything else. */
  readonly kind: "pending" | "failed" | "error";
  /** The HTTP status of the answer; null when there was no answer. */
  readonly status: number | null;
  readonly requestId: string | null;

  constructor(
    message: string,
    {
      kind = "error",
      status = null,
      requestId = null,
    }: { kind?: ConnectorError["kind"]; status?: number | null; requestId?: string | null } = {},
  ) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.requestId = requestId;
  }
}
