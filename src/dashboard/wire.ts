/** What the API sends and the dashboard reads, as CONTRACT.md and the dashboard's own endpoints have it. */

export type Role = "admin" | "viewer";
export type Plan = "free" | "starter" | "team" | "enterprise";

export type Me = {
  readonly operator: { readonly name: string; readonly role: Role; readonly created_at: string };
  readonly workspace: {
    readonly id: string;
    readonly name: string;
    readonly plan: Plan;
    readonly status: "active" | "disabled";
  };
  /** False below plan team. */
  readonly api_access: boolean;
  /** Calls per window and key; a limit of 0 means none. Null without API access. */
  readonly rate_limit: { readonly limit: number; readonly window_seconds: number } | null;
  readonly version: string;
};

export type About = { readonly licence: string; readonly source_url: string | null; readonly has_session: boolean };

export type ApiKey = {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly status: "active" | "revoked" | "expired";
  readonly created_at: string;
  readonly created_by: string;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  readonly rotated_from: string | null;
  readonly rotated_to: string | null;
};
/** The two answers that hold a plaintext. */
export type MintedKey = ApiKey & { readonly key: string };
export type KeyList = { readonly keys: readonly ApiKey[]; readonly next_cursor: string | null };

export type Budgets = {
  readonly limit: number;
  readonly window_seconds: number;
  readonly budgets: readonly {
    readonly key_id: string;
    readonly used: number;
    readonly resets_in_seconds: number;
  }[];
};

export type Outcome = "ok" | "no_data" | "failed" | "skipped";
export type OutcomeCounts = Readonly<Record<Outcome, number>>;

/** How a source fared over the last 24 hours. */
export type SourceDay = {
  readonly source: string;
  readonly outcomes: OutcomeCounts;
  readonly by_hour: readonly OutcomeCounts[];
  readonly mean_ms: number;
  readonly last: {
    readonly outcome: Outcome;
    readonly error: string | null;
    readonly at: string;
    readonly quota_left: number | null;
  };
};

export type Quantiles = { readonly p50: number; readonly p95: number; readonly p99: number };

export type Overview = {
  readonly at: string;
  readonly started_at: string;
  readonly version: string;
  readonly hours: readonly {
    readonly hour: string;
    readonly requests: number;
    readonly hits: number;
    readonly polls: number;
  }[];
  readonly scans: { readonly queued: number; readonly running: number };
  readonly sources: readonly SourceDay[];
  readonly corpora: readonly Corpus[];
  readonly answers_ms: Quantiles | null;
  readonly event_loop_ms: Quantiles;
  readonly memory_bytes: number;
  readonly disk: {
    readonly free_bytes: number;
    readonly total_bytes: number;
    readonly database_bytes: number;
  } | null;
};

export type SourceState = {
  readonly name: string;
  readonly kind: string;
  readonly state: "enabled" | "offline";
  readonly confidence: number;
  readonly origin: string;
  readonly timeout_ms: number;
  readonly day: SourceDay | null;
};
export type SourceList = { readonly sources: readonly SourceState[] };

export type Corpus = {
  readonly name: string;
  readonly scope: "all" | "workspace";
  readonly confidence: number;
  readonly origin: string;
  readonly records: number;
  readonly bytes: number;
  readonly imports: readonly CorpusImport[];
};
export type CorpusImport = {
  readonly file_name: string;
  readonly format: string;
  readonly importer: string;
  readonly read: number;
  readonly records: number;
  readonly imported_at: string;
  readonly sha256: string;
};
export type CorpusList = { readonly corpora: readonly Corpus[] };

export type AuditEvent = {
  readonly at: string;
  readonly workspace_id: string | null;
  readonly actor: string;
  readonly action: string;
  readonly key_id: string | null;
  readonly key_name: string | null;
  readonly request_id: string | null;
  readonly indicator_hmac: string | null;
  readonly ip: string | null;
  readonly outcome: string;
  readonly correlation_id: string | null;
  readonly count?: number;
  readonly detail?: string;
};
export type AuditPage = { readonly events: readonly AuditEvent[]; readonly next_cursor: string | null };

export type Severity = "high" | "medium" | "low";

/** A finding with what `/evidence` adds to it. */
export type Finding = {
  readonly source: string;
  readonly source_url: string | null;
  readonly source_confidence: number;
  readonly source_tier: "high" | "medium" | "low";
  readonly corroboration_count: number;
  readonly corroborated_by: readonly string[];
  readonly category: string;
  readonly severity: Severity;
  readonly title: string;
  readonly first_seen: string | null;
  readonly last_seen: string | null;
  readonly subject: string | null;
  readonly details: unknown;
  readonly answered_at: string;
  readonly answer_sha256: string;
};
export type Evidence = { readonly request_id: string; readonly findings: readonly Finding[] };

export type Envelope = {
  readonly request_id: string;
  readonly status: "completed";
  readonly cache: "hit" | "miss_scan_complete";
  readonly indicator: { readonly type: string; readonly value: string };
  readonly exposure: {
    readonly total: number;
    readonly by_severity: Partial<Readonly<Record<Severity, number>>>;
  };
  readonly disambiguation: { readonly required: true; readonly reason: string };
};

export type ScanState = "queued" | "scanning" | "running" | "completed" | "failed";
export type SourceRun = {
  readonly source: string;
  readonly outcome: Outcome;
  readonly findings: number;
  readonly duration_ms: number;
  readonly error: string | null;
  readonly missing: readonly string[];
};
export type ScanSources = {
  readonly request_id: string;
  readonly status: ScanState;
  readonly sources: readonly SourceRun[];
};
