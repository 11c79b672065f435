import {
  type IDataObject,
  type IExecuteFunctions,
  type IHttpRequestOptions,
  type IPollFunctions,
  sleep,
} from "n8n-workflow";

export const version = "0.1.0";
export const notVerified = "TLS was not verified";
const maxAnswerBytes = 16 * 1024 * 1024;

/** Why there is no answer, in one complete sentence. It holds neither the request nor the key: n8n stores executions. */
export class XposeError extends Error {
  constructor(
    message: string,
    readonly code: string | null = null,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
  }
}

export type Finding = IDataObject;
export type FailedSource = { source: string; error: string | null };
export type Case = {
  request_id: string;
  status: string;
  indicator: { value: string };
  partial: boolean;
  reach: string;
  digest: string | null;
  failed_sources: FailedSource[];
  exposure: { findings: Finding[]; total: number; by_severity: { [severity: string]: number } } | null;
  sources: { source: string; outcome: string }[];
  disambiguation: IDataObject;
};
export type BulkRow = {
  status: string;
  request_id: string | null;
  error: { code: string; message: string } | null;
};
export type Options = { cached_only?: boolean; max_age?: number; tlp?: string };
type Answer = { [name: string]: unknown };

/** The calls of one look-up. All of them end `seconds` after it was made. */
export class Service {
  private readonly deadlineMs: number;
  private retryAfterSeconds: number | null = null;

  private constructor(
    private readonly context: IExecuteFunctions | IPollFunctions,
    private readonly url: string,
    readonly isVerified: boolean,
    private readonly seconds: number,
  ) {
    this.deadlineMs = Date.now() + seconds * 1000;
  }

  static async connect(context: IExecuteFunctions | IPollFunctions, seconds: number): Promise<Service> {
    const credentials = await context.getCredentials("xposeApi");
    const url = String(credentials["url"] ?? "")
      .trim()
      .replace(/\/+$/, "");
    if (!/^https?:\/\/[^/@]+(?:\/[^@]*)?$/.test(url)) {
      throw new XposeError("xpose: url is wanted, such as https://xpose.example.com, without user and password");
    }
    const key = String(credentials["apiKey"] ?? "");
    if (!/^[!-~]+$/.test(key)) throw new XposeError("xpose: api_key is not set, or holds odd characters");
    return new Service(context, url, credentials["allowUnauthorizedCerts"] !== true, seconds);
  }

  /** The case of a scan that is completed. Throws if it failed, or is not done in time. */
  async lookUp(email: string, options: Options): Promise<Case> {
    const body = { indicator: { type: "email", value: email }, ...optionsOf(options) };
    let answer = withId("request_id", await this.call("POST", "/api/v1/soc/enrich", { body, waits: true }));
    const path = `/api/v1/soc/enrich/${answer["request_id"]}`;
    for (;;) {
      while (answer["status"] !== "completed" && answer["status"] !== "failed") {
        await this.sleepBeforePoll(path.split("/").at(-1) ?? "", answer["status"]);
        answer = await this.call("GET", path, { waits: true });
      }
      answer = await this.call("GET", `${path}/case`);
      const found = completedCase(answer);
      if (found !== null) return found;
    }
  }

  async caseOf(requestId: string): Promise<Case> {
    const found = completedCase(await this.call("GET", `/api/v1/soc/enrich/${requestId}/case`));
    if (found === null) throw new XposeError(stillText(requestId, "running"), "scan_pending");
    return found;
  }

  /** Rows by canonical address: one call for up to 1,000 distinct addresses. */
  async bulk(emails: readonly string[], options: Options): Promise<Map<string, BulkRow>> {
    const rows = new Map<string, BulkRow>();
    const distinct = [...new Set(emails.map(sameAddress))];
    for (let start = 0; start < distinct.length; start += 1000) {
      const part = distinct.slice(start, start + 1000);
      const body = { indicators: part.map((value) => ({ type: "email", value })), ...optionsOf(options) };
      let answer = withId("bulk_id", await this.call("POST", "/api/v1/soc/enrich/bulk", { body, waits: true }));
      while (answer["status"] !== "completed" && this.hasTimeToPoll()) {
        await this.sleepBeforePoll(String(answer["bulk_id"]), answer["status"]);
        answer = withId(
          "bulk_id",
          await this.call("GET", `/api/v1/soc/enrich/bulk/${answer["bulk_id"]}`, { waits: true }),
        );
      }
      const results = Array.isArray(answer["results"]) ? (answer["results"] as BulkRow[]) : [];
      if (results.length !== part.length) {
        throw new XposeError(`xpose answered ${results.length} rows for ${part.length} addresses`);
      }
      part.forEach((email, at) => {
        rows.set(email, results[at] as BulkRow);
      });
    }
    return rows;
  }

  async watch(emails: readonly string[], label: string): Promise<Answer> {
    const indicators = emails.map((value) => ({ type: "email", value }));
    return this.call("POST", "/api/v1/soc/watch", { body: { indicators, ...(label === "" ? {} : { label }) } });
  }

  async events(after: string, type: string, limit: number): Promise<{ events: IDataObject[]; next: string }> {
    const query = [
      ...(after === "" ? [] : [`after=${encodeURIComponent(after)}`]),
      ...(type === "" ? [] : [`type=${encodeURIComponent(type)}`]),
      `limit=${limit}`,
    ];
    const answer = await this.call("GET", `/api/v1/soc/events?${query.join("&")}`);
    if (!Array.isArray(answer["events"])) {
      throw new XposeError("xpose answered without events: the url does not lead to xpose");
    }
    return { events: answer["events"] as IDataObject[], next: String(answer["next"] ?? after) };
  }

  private hasTimeToPoll(): boolean {
    return Date.now() + Math.max(1, this.retryAfterSeconds ?? 1) * 1000 < this.deadlineMs;
  }

  private async sleepBeforePoll(scan: string, status: unknown): Promise<void> {
    if (!this.hasTimeToPoll()) throw new XposeError(stillText(scan, String(status)), "scan_pending");
    await sleep(Math.max(1, this.retryAfterSeconds ?? 1) * 1000);
  }

  /** The answer as an object. Waits for a limit that ends in time. */
  private async call(
    method: "GET" | "POST",
    path: string,
    { body, waits = false }: { body?: IDataObject; waits?: boolean } = {},
  ): Promise<Answer> {
    for (;;) {
      const leftMs = this.deadlineMs - Date.now();
      const waitSeconds = waits ? Math.floor(Math.min(50, this.seconds, leftMs / 1000)) : 0;
      const { status, headers, text } = await this.exchange({
        method,
        url: this.url + path,
        ...(body === undefined ? {} : { body }),
        headers: {
          Accept: "application/json",
          "User-Agent": `xpose-n8n/${version}`,
          ...(waitSeconds > 0 ? { Prefer: `wait=${waitSeconds}` } : {}),
        },
        timeout: Math.max(2000, Math.min(leftMs, (waitSeconds + 15) * 1000)),
        skipSslCertificateValidation: !this.isVerified,
        json: true,
        encoding: "stream",
        returnFullResponse: true,
        ignoreHttpStatusErrors: true,
        disableFollowRedirect: true,
      });
      if (status >= 300 && status < 400) {
        throw new XposeError(`xpose answered ${status}: a redirect is not followed; correct the url`);
      }
      this.retryAfterSeconds = retryAfterOf(headers["retry-after"]);
      const seconds = status === 429 || status === 503 ? this.retryAfterSeconds : null;
      if (seconds !== null && this.hasTimeToPoll()) {
        await sleep(Math.max(1, seconds) * 1000);
        continue;
      }
      const answer = objectIn(text);
      const error = answer?.["error"];
      if (answer === null || (status >= 400 && (typeof error !== "object" || error === null))) {
        throw new XposeError(`xpose answered ${status} without JSON: the url does not lead to xpose`, null, seconds);
      }
      if (status >= 400) throw refusal(error as Answer, seconds);
      return answer;
    }
  }

  private async exchange(options: IHttpRequestOptions) {
    let response: { statusCode: number; headers: { [name: string]: unknown }; body: unknown };
    try {
      response = await this.context.helpers.httpRequestWithAuthentication.call(this.context, "xposeApi", options);
      return { status: response.statusCode, headers: response.headers, text: await textOf(response) };
    } catch (error) {
      if (error instanceof XposeError) throw error;
      // The error of the helper holds the request with its key: only a code of it goes on.
      throw new XposeError(`xpose does not answer: ${reasonOf(error)}`, "no_answer");
    }
  }
}

async function textOf(response: { statusCode: number; body: unknown }): Promise<string> {
  const { body } = response;
  if (typeof body === "string") return body;
  if (typeof (body as AsyncIterable<Uint8Array> | null)?.[Symbol.asyncIterator] !== "function") {
    return JSON.stringify(body ?? null);
  }
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new XposeError(`xpose answered ${response.statusCode} with more than 16 MiB`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function reasonOf(error: unknown): string {
  const codes: string[] = [];
  const seen = new Set<unknown>();
  for (let at: unknown = error; typeof at === "object" && at !== null && !seen.has(at); at = (at as Answer)["cause"]) {
    seen.add(at);
    for (const name of ["code", "httpCode"]) {
      const code = (at as Answer)[name];
      if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) codes.push(code);
    }
    const inner = (at as Answer)["errorResponse"];
    const code = (inner as Answer | undefined)?.["code"];
    if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) codes.push(code);
  }
  const tls = codes.find((code) => /CERT|SIGNATURE|SELF_SIGNED|ISSUER/.test(code));
  if (tls !== undefined) return `the certificate is not trusted (${tls})`;
  if (codes.some((code) => /TIMEDOUT|ABORTED|TIMEOUT/.test(code))) return "timed out";
  return codes.map((code) => reasons[code]).find((reason) => reason !== undefined) ?? "no connection";
}

/** In words: n8n replaces a message that holds one of these codes by a sentence of its own. */
const reasons: { [code: string]: string } = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENOTFOUND: "the host is not known",
  EAI_AGAIN: "the name server does not answer",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
};

function objectIn(text: string): Answer | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Answer) : null;
  } catch {
    return null;
  }
}

function withId(name: string, answer: Answer): Answer {
  if (!/^[0-9A-Za-z-]{1,64}$/.test(String(answer[name] ?? ""))) {
    throw new XposeError(`xpose answered without a ${name}: the url does not lead to xpose`);
  }
  return answer;
}

/** The case, or null while the scan is not done. Throws if no source answered. */
function completedCase(answer: Answer): Case | null {
  if (answer["status"] === "failed" || (answer["status"] === "completed" && !answer["exposure"])) {
    throw new XposeError(noSourceText((answer["failed_sources"] ?? []) as FailedSource[]), "scan_failed");
  }
  if (answer["status"] !== "completed") return null;
  const found = answer as unknown as Case;
  try {
    headlineOf(found);
  } catch {
    throw new XposeError("xpose answered a case that cannot be read: the url does not lead to xpose");
  }
  return found;
}

/** The one sentence about a case, the same in all connectors. */
export function headlineOf(found: Case): string {
  const { total, by_severity } = found.exposure as NonNullable<Case["exposure"]>;
  const severities = ["high", "medium", "low"]
    .filter((severity) => (by_severity[severity] ?? 0) > 0)
    .map((severity) => `${by_severity[severity]} ${severity}`);
  const count = total === 0 ? "No finding" : total === 1 ? "1 finding" : `${total} findings`;
  const asked = found.sources.filter(({ outcome }) => outcome !== "skipped").length;
  const failed = found.failed_sources;
  return [
    severities.length === 0 ? count : `${count} (${severities.join(", ")})`,
    `${asked - failed.length} of ${asked} sources answered`,
    ...(failed.length === 0 ? [] : [`could not look: ${namesOf(failed)}`]),
    ...(found.reach === "inside" ? ["outside sources were not asked"] : []),
  ].join("; ");
}

function noSourceText(failed: readonly FailedSource[]): string {
  return `xpose: no source answered: ${failed.length === 0 ? "none is enabled" : namesOf(failed)}`;
}

function namesOf(failed: readonly FailedSource[]): string {
  return failed.map(({ source, error }) => `${source} (${error})`).join(", ");
}

export function stillText(scan: string | null, status: string): string {
  return `xpose: scan ${scan} is still ${status}; ask again`;
}

export function refusal(error: Answer, seconds: number | null): XposeError {
  const wait = seconds === null ? "" : `, retry after ${seconds} s`;
  return new XposeError(`xpose: ${error["code"]} (${error["message"]})${wait}`, String(error["code"]), seconds);
}

function retryAfterOf(value: unknown): number | null {
  const text = String(value ?? "").trim();
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - Date.now()) / 1000));
}

function optionsOf(options: Options): { options?: Options } {
  const set = Object.entries(options).filter(([, value]) => value !== undefined && value !== "" && value !== false);
  return set.length === 0 ? {} : { options: Object.fromEntries(set) as Options };
}

export function sameAddress(email: string): string {
  return email.trim().toLowerCase();
}
