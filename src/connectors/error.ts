/** A look-up that gave no case, told as the platform shows it. The message holds no key. */
export class ConnectorError extends Error {
  override readonly name = "ConnectorError";
  /** `pending`: the scan goes on, ask again. `failed`: no source answered. `error`: everything else. */
  readonly kind: "pending" | "failed" | "error";
  /** The HTTP status of the service's answer, or null when there was none. */
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
