import type { Charge } from "../../domain/budget.ts";
import {
  type BulkId,
  type BulkList,
  type BulkState,
  bulkLine,
  bulkResult,
  countRows,
  type GivenIndicator,
  readList,
} from "../../domain/bulk.ts";
import type { Reply } from "../../domain/call.ts";
import { type EnrichOptions, noOptions, parseOptions } from "../../domain/enrich-options.ts";
import { AppError } from "../../domain/error.ts";
import { isObject } from "../../domain/json-object.ts";
import { isId } from "../../domain/workspace.ts";
import { inSteps } from "../../event-loop/in-steps.ts";
import { bulkCsvRows, csvHead } from "../../formats/csv.ts";
import { formats } from "../../formats/format-table.ts";
import type { Bulk, BulkRequest, BulkResult } from "../../wire/bulk.ts";
import type { Unchecked } from "../../wire/shape.ts";
import { discardBody, readJsonOrLines } from "../body.ts";
import { apiKeyHash } from "../credentials.ts";
import { type Exchange, originOf } from "../exchange.ts";
import { queryOf } from "../query.ts";
import { toResponse } from "../reply-response.ts";
import { jsonResponse, type PlainResponse, storedResponse } from "../response.ts";
import { refuseKey, waitPreference, withLimits } from "./enrich.ts";
import { parseWanted } from "./export.ts";

/** docs/pipeline.md 19.1. */
const maxBodyBytes = 512 * 1024;
const bulkPath = "/api/v1/soc/enrich/bulk";
/** Rows that are read in one transaction: some hundred microseconds without envelopes. */
const rowsPerRead = 100;
/** Envelopes that are read and sent at once, in UTF-16 units; the last one may exceed it. */
const envelopesPerRead = 128 * 1024;
/** A list is looked at again this often while a request waits for it, beside each time that a scan of it ends. */
const lookAgainMs = 250;

type KnownBulk = Extract<Reply, { kind: "bulk" }>;

/** POST /api/v1/soc/enrich/bulk */
export async function startBulk(exchange: Exchange): Promise<PlainResponse> {
  const { request, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  const startedAt = app.steadyNow();
  const { list, options, fault } = await readRequest(exchange);
  const bulkId = app.newId() as BulkId;
  const call = {
    kind: "bulk",
    caller: { keyHash },
    from: originOf(exchange),
    fault,
    bulkId,
    list,
    options,
  } as const;
  const reply = await app.calls.serve(call);
  if (reply.kind !== "bulk") return withLimits(toResponse(reply), reply.charge, app.now());
  app.metrics.countBulk(list.rows.length, app.steadyNow() - startedAt);
  return await answer(exchange, keyHash, reply, reply.charge);
}

/** GET /api/v1/soc/enrich/bulk/{bulk_id} */
export async function pollBulk(exchange: Exchange): Promise<PlainResponse> {
  const { request, parameters, app } = exchange;
  const keyHash = apiKeyHash(request.headers, app.keys);
  if (keyHash === null) return await refuseKey(exchange);
  await discardBody(request);
  const wish = parseForm(request);
  const id = parameters["bulk_id"] ?? "";
  const reply = await app.calls.serve({
    kind: "bulk_poll",
    caller: { keyHash },
    from: originOf(exchange),
    // A malformed id is handled like an unknown id, so that the two cannot be told apart.
    bulkId: isId(id) ? (id as BulkId) : null,
    fault: wish instanceof AppError ? wish : null,
    isExport: !(wish instanceof AppError) && wish.form !== "json",
    isCharged: false,
  });
  if (reply.kind !== "bulk" || wish instanceof AppError) return withLimits(toResponse(reply), reply.charge, app.now());
  if (wish.form === "json") return await answer(exchange, keyHash, reply, reply.charge, 200);
  const isWaited = await waitFor(exchange, keyHash, reply);
  const rows = readAll(exchange, reply, envelopesPerRead);
  const response = wish.form === "ndjson" ? linesResponse(rows) : csvResponse(rows, reply, wish.hasByteOrderMark);
  if (isWaited) response.headers["Preference-Applied"] = "wait";
  return withLimits(response, reply.charge, app.now());
}

type Form = { readonly form: "json" | "ndjson" | "csv"; readonly hasByteOrderMark: boolean };

/** The form that `format` or `Accept` asks for (docs/pipeline.md 19.4), or what is wrong with it. */
function parseForm(request: Request): Form | AppError {
  const query = queryOf(request);
  const given = query.getAll("format");
  const isAccepted = /(?:^|,)\s*application\/x-ndjson\s*(?:[;,]|$)/i.test(request.headers.get("Accept") ?? "");
  const [format = isAccepted ? "ndjson" : "json", ...others] = given;
  if (others.length === 0 && (format === "json" || format === "ndjson"))
    return { form: format, hasByteOrderMark: false };
  if (others.length > 0 || format !== "csv") {
    return new AppError("invalid_request", "The format must be one of json, ndjson, csv");
  }
  const wish = parseWanted(query);
  return wish instanceof AppError ? wish : { form: "csv", hasByteOrderMark: wish.hasByteOrderMark };
}

type GivenList = { readonly list: BulkList; readonly options: EnrichOptions; readonly fault: AppError | null };

const noList: BulkList = { rows: [], distinct: [] };

/** A fault found here is kept: the key, the plan and the budget are checked first (docs/contract.md 2). */
async function readRequest({ request, app }: Exchange): Promise<GivenList> {
  try {
    const { given, options } = parseRequest(await readJsonOrLines(request, maxBodyBytes));
    if (given.length === 0) throw new AppError("invalid_request", "The list has no indicator, at least 1 is wanted");
    if (given.length > app.bulkLimit) {
      throw new AppError("invalid_request", `The list is too long, at most ${app.bulkLimit} indicators are taken`);
    }
    const { hashOf, newScanId } = app;
    return { list: await inSteps(readList(given, { hashOf, newScanId })), options, fault: null };
  } catch (error) {
    if (error instanceof AppError) return { list: noList, options: noOptions, fault: error };
    throw error;
  }
}

function parseRequest(body: Awaited<ReturnType<typeof readJsonOrLines>>): {
  given: GivenIndicator[];
  options: EnrichOptions;
} {
  if (body.kind === "lines") {
    return { given: body.lines.map((value) => ({ type: "email", value })), options: noOptions };
  }
  const { indicators, options }: Unchecked<BulkRequest> = isObject(body.value) ? body.value : {};
  if (!Array.isArray(indicators)) {
    throw new AppError("invalid_request", "The body needs a list of indicators, each with type and value");
  }
  const wanted = parseOptions(options);
  const given = indicators.map((row: unknown) => {
    const { type, value } = isObject(row) ? row : {};
    return { type, value };
  });
  return { given, options: wanted };
}

/** The whole list as JSON; 202 or what `statusWhilePending` says while a scan of it is not over. */
async function answer(
  exchange: Exchange,
  keyHash: string,
  reply: KnownBulk,
  charge: Charge | undefined,
  statusWhilePending: 200 | 202 = 202,
): Promise<PlainResponse> {
  const isWaited = await waitFor(exchange, keyHash, reply);
  const { bulkId, rowCount } = reply;
  const results: BulkResult[] = [];
  for await (const rows of readAll(exchange, reply, null)) results.push(...rows.map(bulkResult));
  const counts = countRows(results);
  const isPending = counts.pending > 0;
  const pollUrl = `${bulkPath}/${bulkId}`;
  const body: Bulk = {
    bulk_id: bulkId,
    status: isPending ? "running" : "completed",
    poll_url: pollUrl,
    total: rowCount,
    counts,
    results,
  };
  const { publicUrl } = exchange.app;
  const location = statusWhilePending === 202 ? { Location: `${publicUrl ?? ""}${pollUrl}` } : {};
  const response = jsonResponse<Bulk>(isPending ? statusWhilePending : 200, body, {
    ...(isPending ? { ...location, "Retry-After": "1" } : {}),
    ...(isWaited && !isPending ? { "Preference-Applied": "wait" } : {}),
  });
  return withLimits(response, charge, exchange.app.now());
}

/** Waits as `Prefer` asks, until no scan of the list is pending. True when the request waited to the end of the list. */
async function waitFor({ request, app }: Exchange, keyHash: string, reply: KnownBulk): Promise<boolean> {
  const seconds = reply.hasPending ? waitPreference(request.headers.get("Prefer")) : null;
  const leave = seconds === null ? null : app.waits.take(keyHash);
  if (seconds === null || leave === null) return false;
  const until = app.steadyNow() + seconds * 1000;
  const { workspaceId, bulkId } = reply;
  try {
    while (!request.signal.aborted && app.phase() === "serving") {
      const pending = await app.store.findPending(workspaceId, bulkId);
      if (pending?.scanId == null) return true;
      const leftMs = until - app.steadyNow();
      if (leftMs <= 0) return false;
      await app.whenSettled(pending.scanId, Math.min(leftMs, lookAgainMs), request.signal);
    }
    return false;
  } finally {
    leave();
  }
}

/** All rows in their order, some at a time, each part in a transaction and a turn of its own. */
async function* readAll(
  { app }: Exchange,
  { workspaceId, bulkId, rowCount }: KnownBulk,
  envelopesUpTo: number | null,
): AsyncGenerator<readonly BulkState[]> {
  for (let from = 0; from < rowCount; ) {
    const rows = await app.store.readBulkRows(workspaceId, bulkId, { from, maxCount: rowsPerRead, envelopesUpTo });
    if (rows.length === 0) return;
    yield rows;
    from += rows.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function linesResponse(rows: AsyncGenerator<readonly BulkState[]>): PlainResponse {
  const text = (states: readonly BulkState[]) => states.map((state) => `${bulkLine(state)}\n`).join("");
  return storedResponse(200, streamOf(rows, "", text), { "Content-Type": "application/x-ndjson" });
}

function csvResponse(
  rows: AsyncGenerator<readonly BulkState[]>,
  { bulkId }: KnownBulk,
  hasByteOrderMark: boolean,
): PlainResponse {
  const text = (states: readonly BulkState[]) => states.map(bulkCsvRows).join("");
  return storedResponse(200, streamOf(rows, csvHead({ hasByteOrderMark }), text), {
    "Content-Type": formats.csv.mediaType,
    "Content-Disposition": `attachment; filename="xpose-${bulkId}.csv"`,
  });
}

/** Reads on when the client has taken what was sent: a slow client costs one part of memory, whatever the size of the list. */
function streamOf(
  rows: AsyncGenerator<readonly BulkState[]>,
  head: string,
  text: (states: readonly BulkState[]) => string,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  return new ReadableStream(
    {
      start(controller) {
        if (head !== "") controller.enqueue(encoder.encode(head));
      },
      async pull(controller) {
        const { done, value } = await rows.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(text(value)));
      },
      async cancel() {
        await rows.return(undefined);
      },
    },
    { highWaterMark: 1 },
  );
}
