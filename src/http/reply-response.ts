import type { CompletedReply, Reply, ReplyBody } from "../domain/call.ts";
import { caseText, sourceRow } from "../domain/case.ts";
import { AppError } from "../domain/error.ts";
import { flatCase, flatPending } from "../domain/flat.ts";
import { noSourceAdvice } from "../domain/no-source.ts";
import type { OnPending } from "../domain/on-pending.ts";
import { failedSourcesOf, isFinished, isPartial, type ScanId } from "../domain/scan.ts";
import type { Flat } from "../wire/flat.ts";
import type { Accepted, Progress, ScanSources } from "../wire/scan.ts";
import { errorResponse, statusOf } from "./errors.ts";
import { jsonResponse, type PlainResponse, storedResponse } from "./response.ts";
import { asPublished, type Wish } from "./wish.ts";

/** Where and how a caller wants its answer. */
export type Place = {
  /** The path of the API above the id of a scan. */
  readonly path?: string;
  /** The path below the id, such as `/case`. */
  readonly below?: string | undefined;
  /** Parameters that a further poll must repeat, such as `format=stix`. */
  readonly repeated?: string | undefined;
  readonly publicUrl?: string | null;
  readonly wish?: Wish;
  /** The version of this program, for a case. */
  readonly version?: string;
};

const enrichPath = "/api/v1/soc/enrich";

/**
 * The HTTP answer for a reply. `poll_url` is always a path. `Location` is absolute when `publicUrl` is set, for clients
 * behind a proxy that adds a path prefix (docs/pipeline.md 21.20).
 */
export function toResponse(reply: Reply, place: Place = {}): PlainResponse {
  return withReach(responseOf(reply, place), reply);
}

/** Marks an answer about a scan of inside reach (docs/pipeline.md 16.2). */
export function withReach(response: PlainResponse, { isInside }: Reply): PlainResponse {
  if (isInside === true) response.headers["X-Xpose-Reach"] = "inside";
  return response;
}

/** The outcome of a reply for the audit trail: its HTTP status. */
export function outcomeOf(reply: ReplyBody, onPending?: OnPending | undefined): string {
  if (reply.kind === "refused") return String(statusOf[reply.error.code]);
  const isFailed = reply.kind === "failed" || (reply.kind === "case" && reply.result === null);
  if (isFailed && onPending === "503") return String(statusOf.scan_failed);
  if (reply.kind === "bulk") return reply.hasPending ? "202" : "200";
  return reply.kind === "accepted" ? (onPending ?? "202") : "200";
}

function responseOf(reply: Reply, place: Place): PlainResponse {
  const { wish = asPublished } = place;
  switch (reply.kind) {
    case "refused": {
      const isLimit = reply.error.code === "rate_limited" && reply.charge !== undefined;
      const retry = isLimit ? { "Retry-After": String(Math.max(1, Math.ceil(reply.charge.resetInMs / 1000))) } : {};
      return errorResponse(reply.error, retry);
    }
    case "accepted":
      return acceptedResponse(reply, place);
    case "unfinished":
      return unfinishedResponse(reply, place);
    case "failed":
      return wish.onPending === "503"
        ? scanFailed()
        : jsonResponse<Progress>(200, { status: "failed", request_id: reply.scanId });
    case "completed":
      return envelopeResponse(reply);
    case "evidence":
      return storedResponse(200, reply.body);
    case "sources":
      return jsonResponse<ScanSources>(200, sourcesBody(reply), sourcesHeaders(reply));
    case "case":
      return caseResponse(reply, place);
    case "admitted":
    case "bulk":
    case "changes":
    case "history":
    case "whoami":
      throw new Error(`a ${reply.kind} was read without a route that presents it`);
    case "claimed":
      throw new Error("a scan was claimed for a caller over HTTP");
  }
}

const retrySoon = { "Retry-After": "1" };

/** A POST whose scan was started or joined. */
function acceptedResponse({ scanId, indicator }: Extract<Reply, { kind: "accepted" }>, place: Place): PlainResponse {
  const { path = enrichPath, wish = asPublished } = place;
  if (wish.onPending === "503") return scanPending();
  const pollUrl = `${path}/${scanId}`;
  const isPublished = wish.onPending !== "200";
  const headers = isPublished ? { Location: locationOf(scanId, place), ...retrySoon } : retrySoon;
  const status = isPublished ? 202 : 200;
  if (wish.view === "flat")
    return jsonResponse<Flat>(status, flatPending({ scanId, indicator }, "scanning", pollUrl), headers);
  if (!isPublished) return jsonResponse<Progress>(status, { status: "scanning", request_id: scanId }, headers);
  const body: Accepted = { status: "scanning", request_id: scanId, poll_url: pollUrl, indicator };
  return jsonResponse<Accepted>(status, body, headers);
}

/** A poll of a scan that is not over (docs/contract.md 6.2, docs/pipeline.md 16.4). */
function unfinishedResponse(
  { scanId, state, indicator }: Extract<Reply, { kind: "unfinished" }>,
  place: Place,
): PlainResponse {
  const { path = enrichPath, wish = asPublished } = place;
  if (wish.onPending === "503") return scanPending();
  const status = wish.onPending === "202" ? 202 : 200;
  const headers = status === 202 ? { Location: locationOf(scanId, place), ...retrySoon } : retrySoon;
  if (wish.view === "flat") {
    return jsonResponse<Flat>(status, flatPending({ scanId, indicator }, state, `${path}/${scanId}`), headers);
  }
  return jsonResponse<Progress>(status, { status: state, request_id: scanId }, headers);
}

/** The next poll, with all that the client asked for (docs/pipeline.md 30.3). */
function locationOf(scanId: ScanId, place: Place): string {
  const { path = enrichPath, below = "", repeated = "", publicUrl = null, wish = asPublished } = place;
  const parameters = [
    repeated,
    wish.view === "envelope" ? "" : `view=${wish.view}`,
    wish.onPending === undefined ? "" : `on_pending=${wish.onPending}`,
  ].filter((text) => text !== "");
  const query = parameters.length === 0 ? "" : `?${parameters.join("&")}`;
  return `${publicUrl ?? ""}${path}/${scanId}${below}${query}`;
}

function scanPending(): PlainResponse {
  return errorResponse(new AppError("scan_pending", "The scan has no result yet"));
}

function scanFailed(): PlainResponse {
  return errorResponse(new AppError("scan_failed", "No source answered, so nothing is known about this indicator"));
}

function envelopeResponse(reply: CompletedReply): PlainResponse {
  const response = storedResponse(200, reply.envelope);
  addResultHeaders(response, reply);
  return response;
}

/** A finished scan in another view: flat, or all that is known about it (docs/pipeline.md 17.2, 30). */
function caseResponse(reply: Extract<Reply, { kind: "case" }>, place: Place): PlainResponse {
  const { wish = asPublished, version = "" } = place;
  const { result, runs } = reply;
  if (result === null && wish.onPending === "503") return scanFailed();
  const response =
    wish.view === "flat" ? jsonResponse<Flat>(200, flatCase(reply)) : storedResponse(200, caseText(reply, version));
  // The path `/case` has the headers of a document; a view has those of the envelope that it replaces.
  if (result === null || wish.view === "envelope") return response;
  const omittedCount = runs.reduce((sum, run) => sum + run.omittedCount, 0);
  const failedSources = failedSourcesOf(runs);
  addResultHeaders(response, { digest: result.digest, isPartial: isPartial(runs), omittedCount, failedSources });
  return response;
}

type ResultFacts = Pick<CompletedReply, "digest" | "isPartial" | "omittedCount" | "failedSources">;

/** docs/contract.md 5.8, 7.7, docs/pipeline.md 16.6, 31. */
function addResultHeaders({ headers }: PlainResponse, facts: ResultFacts): void {
  headers["X-Xpose-Exposure-Digest"] = facts.digest;
  if (facts.isPartial) headers["X-Xpose-Partial"] = "1";
  if (facts.omittedCount > 0) headers["X-Xpose-Findings-Omitted"] = String(facts.omittedCount);
  if (facts.failedSources.length > 0) headers["X-Xpose-Failed-Sources"] = facts.failedSources.join(",");
}

/** The body of a failed scan without a row is published as it is, so a header says why it is empty. */
function sourcesHeaders({ state, runs }: Extract<Reply, { kind: "sources" }>): Record<string, string> {
  if (!isFinished(state)) return retrySoon;
  return runs.length === 0 ? { "X-Xpose-Problem": noSourceAdvice } : {};
}

function sourcesBody({ scanId, state, runs }: Extract<Reply, { kind: "sources" }>): ScanSources {
  return { request_id: scanId, status: state, sources: runs.map(sourceRow) };
}
