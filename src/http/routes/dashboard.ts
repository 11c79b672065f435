import { findBySession } from "../../access/operator.ts";
import { workspaceBody } from "../../access/workspace.ts";
import { limitOf, readBudget } from "../../domain/budget.ts";
import type { Corpus, CorpusImport } from "../../domain/corpus.ts";
import { AppError } from "../../domain/error.ts";
import type { Outcome } from "../../domain/scan.ts";
import { timestamp } from "../../domain/time.ts";
import { hasApiAccess, type Workspace } from "../../domain/workspace.ts";
import type { SourceHour } from "../../store/port/overview.ts";
import type { CorpusBody, CorpusImportBody, CorpusList } from "../../wire/corpus.ts";
import type { Budgets } from "../../wire/key.ts";
import type { Overview } from "../../wire/overview.ts";
import type { About, Me } from "../../wire/session.ts";
import type { SourceDay, SourceList } from "../../wire/source.ts";
import { sessionSecret } from "../credentials.ts";
import type { Exchange, OperatorExchange } from "../exchange.ts";
import { jsonResponse, type PlainResponse } from "../response.ts";

const hourMs = 3_600_000;
/** Number of hours in the overview, including the current hour. */
const hours = 24;

/**
 * GET /api/v1/dashboard/about: public facts, above all the offer of the source code (AGPL 13), and whether the browser
 * has a session. Reads only the cookie, never a token, so nobody can guess tokens here.
 */
export async function about({ request, app }: Exchange): Promise<PlainResponse> {
  const secret = sessionSecret(request.headers);
  const operator = secret === null ? null : await findBySession(secret, app.store, app.keys, app.now());
  const { sourceUrl } = app.dashboard;
  return jsonResponse<About>(200, { licence: "AGPL-3.0-only", source_url: sourceUrl, has_session: operator !== null });
}

/** GET /api/v1/dashboard/me */
export async function me(exchange: OperatorExchange): Promise<PlainResponse> {
  const { operator, app } = exchange;
  const workspace = await ownWorkspace(exchange);
  const { limits } = app.dashboard.live();
  const isOpen = hasApiAccess(workspace.plan);
  return jsonResponse<Me>(200, {
    operator: { name: operator.name, role: operator.role, created_at: timestamp(operator.createdAt) },
    workspace: workspaceBody(workspace),
    api_access: isOpen,
    rate_limit: isOpen
      ? { limit: limitOf(limits, workspace.plan, "request"), window_seconds: limits.windowMs / 1000 }
      : null,
    version: app.dashboard.version,
  });
}

/** GET /api/v1/dashboard/budgets: the used budget of each key. Only for admins, like everything about keys. */
export async function budgets(exchange: OperatorExchange): Promise<PlainResponse> {
  const { operator, app } = exchange;
  const workspace = await ownWorkspace(exchange);
  const { limits } = app.dashboard.live();
  const limit = limitOf(limits, workspace.plan, "request");
  const now = app.now();
  const rows = (await app.store.listBudgets(operator.workspaceId)).filter(({ kind }) => kind === "request");
  return jsonResponse<Budgets>(200, {
    limit,
    window_seconds: limits.windowMs / 1000,
    budgets: rows.map(({ keyId, budget }) => {
      const { remaining, resetInMs } = readBudget(budget, Math.max(1, limit), limits.windowMs, now);
      return { key_id: keyId, used: Math.max(0, limit - remaining), resets_in_seconds: Math.ceil(resetInMs / 1000) };
    }),
  });
}

/** GET /api/v1/dashboard/overview */
export async function overview({ operator, app }: OperatorExchange): Promise<PlainResponse> {
  const now = app.now();
  const firstHour = hourOf(now) - (hours - 1) * hourMs;
  const { store, dashboard } = app;
  const { queuedCount, runningCount, usage, sources } = await store.overview(operator.workspaceId, new Date(firstHour));
  const byHour = new Map(usage.map((row) => [row.hour.getTime(), row]));
  const { answers, eventLoop, memoryBytes } = dashboard.measure();
  const disk = dashboard.disk();
  const corpora = visibleTo(operator.workspaceId, await store.listCorpora());
  return jsonResponse<Overview>(200, {
    at: timestamp(now),
    started_at: timestamp(dashboard.startedAt),
    version: dashboard.version,
    hours: Array.from({ length: hours }, (_, index) => {
      const hour = firstHour + index * hourMs;
      const { requests = 0, hits = 0, polls = 0 } = byHour.get(hour) ?? {};
      return { hour: timestamp(new Date(hour)), requests, hits, polls };
    }),
    scans: { queued: queuedCount, running: runningCount },
    sources: sourceTotals(sources, firstHour),
    corpora: corpora.map(corpusBody),
    answers_ms: answers,
    event_loop_ms: eventLoop,
    memory_bytes: memoryBytes,
    disk:
      disk === null
        ? null
        : { free_bytes: disk.freeBytes, total_bytes: disk.totalBytes, database_bytes: disk.databaseBytes },
  });
}

/** GET /api/v1/dashboard/sources: the sources that scans of this workspace ask. Never shows others, even by name. */
export async function sources(exchange: OperatorExchange): Promise<PlainResponse> {
  const { operator, app } = exchange;
  const workspace = await ownWorkspace(exchange);
  const firstHour = hourOf(app.now()) - (hours - 1) * hourMs;
  const fared = await app.store.overview(operator.workspaceId, new Date(firstHour));
  const totals = new Map(sourceTotals(fared.sources, firstHour).map((total) => [total.source, total]));
  const configured = app.dashboard.live().sourcesOf(workspace, await app.store.listCorpora());
  return jsonResponse<SourceList>(200, {
    sources: configured.map(({ name, kind, confidence, origin, timeoutMs, isAllowed }) => ({
      name,
      kind,
      state: isAllowed ? "enabled" : "offline",
      confidence,
      origin,
      timeout_ms: timeoutMs,
      day: totals.get(name) ?? null,
    })),
  });
}

/** GET /api/v1/dashboard/corpora: the corpora that this workspace sees. */
export async function corpora({ operator, app }: OperatorExchange): Promise<PlainResponse> {
  const visible = visibleTo(operator.workspaceId, await app.store.listCorpora());
  return jsonResponse<CorpusList>(200, { corpora: visible.map(corpusBody) });
}

async function ownWorkspace({ operator, app }: OperatorExchange): Promise<Workspace> {
  const workspace = await app.store.findWorkspace(operator.workspaceId);
  if (workspace === null) throw new AppError("not_found", "There is no such workspace");
  return workspace;
}

function visibleTo(workspaceId: Workspace["id"], all: readonly Corpus[]): Corpus[] {
  return all.filter(({ scope }) => scope === null || scope === workspaceId);
}

function corpusBody({ name, scope, confidence, origin, imports, segments }: Corpus): CorpusBody {
  const files = imports.map(importBody);
  return {
    name,
    scope: scope === null ? "all" : "workspace",
    confidence,
    origin,
    records: files.reduce((sum, { records }) => sum + records, 0),
    // An upper bound, because merged segments also hold records of other corpora.
    bytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    imports: files,
  };
}

function importBody(one: CorpusImport): CorpusImportBody {
  return {
    file_name: one.fileName,
    format: one.format,
    importer: one.importer,
    read: one.readCount,
    records: one.recordCount,
    imported_at: timestamp(one.importedAt),
    sha256: one.sha256,
  };
}

/** One entry per source: its runs by outcome, per hour and in total, and the result of the last run. */
function sourceTotals(rows: readonly SourceHour[], firstHour: number): SourceDay[] {
  return [...Map.groupBy(rows, ({ source }) => source)].map(([source, own]) => {
    const byHour = Array.from({ length: hours }, noRuns);
    const total = noRuns();
    for (const { hour, outcome, runCount } of own) {
      const counts = byHour[Math.floor((hour.getTime() - firstHour) / hourMs)];
      if (counts !== undefined) counts[outcome] += runCount;
      total[outcome] += runCount;
    }
    const last = own.reduce((latest, row) => (row.lastEndedAt >= latest.lastEndedAt ? row : latest));
    const runCount = own.reduce((sum, row) => sum + row.runCount, 0);
    const durationMs = own.reduce((sum, row) => sum + row.durationMs, 0);
    return {
      source,
      outcomes: total,
      by_hour: byHour,
      mean_ms: Math.round(durationMs / Math.max(1, runCount)),
      last: {
        outcome: last.outcome,
        error: last.lastError,
        at: timestamp(last.lastEndedAt),
        quota_left: last.lastQuotaLeft,
      },
    };
  });
}

function noRuns(): Record<Outcome, number> {
  return { ok: 0, no_data: 0, failed: 0, skipped: 0 };
}

function hourOf(at: Date): number {
  return at.getTime() - (at.getTime() % hourMs);
}
