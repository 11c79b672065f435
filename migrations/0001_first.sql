-- Times are Unix milliseconds, ids lower-case UUIDs, hashes lower-case hex.

-- One row per fact about the directory itself, such as which server secret belongs to it.
CREATE TABLE property (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  folded_name TEXT NOT NULL UNIQUE,
  plan TEXT NOT NULL,
  disabled_at INTEGER,
  -- Set anew by each change to a corpus that this workspace sees.
  corpora_revision TEXT NOT NULL
) STRICT;

-- Rows are never deleted: past events go on naming their key.
CREATE TABLE api_key (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  name TEXT NOT NULL,
  folded_name TEXT NOT NULL,
  prefix TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  last_used_at INTEGER,
  expires_at INTEGER,
  revoked_at INTEGER,
  rotated_from TEXT REFERENCES api_key (id),
  rotated_to TEXT REFERENCES api_key (id)
) STRICT;
CREATE INDEX api_key_by_age ON api_key (workspace_id, created_at, id);

CREATE TABLE operator (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

-- The scan row is the job; there is no second queue.
CREATE TABLE scan (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  indicator_type TEXT NOT NULL,
  indicator_value TEXT NOT NULL,
  indicator_hash TEXT NOT NULL,
  state TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  finished_at INTEGER,
  -- Counts what was finished for this indicator and workspace. Newer and older go by it: the clock may move back.
  finished_rank INTEGER,
  owner TEXT,
  lease_until INTEGER,
  claim_count INTEGER NOT NULL,
  -- The data that the scan sees, stamped when it is claimed.
  settings_fingerprint TEXT,
  corpora_revision TEXT,
  -- Completion, or the oldest answer that was reused, whichever is earlier.
  as_of INTEGER,
  is_partial INTEGER NOT NULL,
  digest TEXT,
  -- The envelope from its indicator member on. Last, so that reading the columns before it does not touch its pages.
  envelope_tail TEXT
) STRICT;
CREATE INDEX scan_by_indicator ON scan (indicator_hash, workspace_id, finished_rank);
-- One scan waits per indicator and workspace, whoever asks at the same time. One that was claimed before has its
-- fingerprint, and may be queued again beside it.
CREATE UNIQUE INDEX scan_waiting ON scan (indicator_hash, workspace_id) WHERE state = 'queued' AND settings_fingerprint IS NULL;
CREATE INDEX scan_queue ON scan (workspace_id) WHERE state = 'queued';
CREATE INDEX scan_leases ON scan (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX scan_by_end ON scan (finished_at) WHERE finished_at IS NOT NULL;

-- Kept out of the scan row, which every hit reads.
CREATE TABLE evidence (
  scan_id TEXT PRIMARY KEY REFERENCES scan (id) ON DELETE CASCADE,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE source_run (
  scan_id TEXT NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
  source TEXT NOT NULL,
  outcome TEXT NOT NULL,
  finding_count INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  error TEXT,
  missing TEXT NOT NULL,
  quota_left INTEGER,
  PRIMARY KEY (scan_id, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX source_run_by_end ON source_run (source, ended_at);

-- The last good answer of a source about an indicator. A failure never replaces it.
CREATE TABLE answer (
  indicator_hash TEXT NOT NULL,
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  source TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  confidence REAL NOT NULL,
  origin TEXT NOT NULL,
  answered_at INTEGER NOT NULL,
  missing TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  findings TEXT NOT NULL,
  -- 1 when the source was asked again since, and failed.
  has_failed_since INTEGER NOT NULL,
  UNIQUE (indicator_hash, workspace_id, source)
) STRICT;
CREATE INDEX answer_by_age ON answer (answered_at);

-- The ledger: when a workspace first and last saw a finding.
CREATE TABLE sighting (
  indicator_hash TEXT NOT NULL,
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  finding_hash TEXT NOT NULL,
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  PRIMARY KEY (indicator_hash, workspace_id, finding_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX sighting_by_age ON sighting (last_seen_at);

CREATE TABLE corpus (
  name TEXT PRIMARY KEY,
  -- The one workspace that sees it; null = all.
  scope TEXT REFERENCES workspace (id),
  confidence REAL NOT NULL,
  origin TEXT NOT NULL,
  revision TEXT NOT NULL
) STRICT;

CREATE TABLE corpus_import (
  id TEXT PRIMARY KEY,
  corpus TEXT NOT NULL REFERENCES corpus (name) ON DELETE CASCADE,
  file_name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  format TEXT NOT NULL,
  record_count INTEGER NOT NULL,
  imported_at INTEGER NOT NULL,
  segment_file TEXT NOT NULL,
  UNIQUE (corpus, sha256)
) STRICT;

-- When an upstream may be asked again, for every process on this directory.
CREATE TABLE source_pace (
  source TEXT PRIMARY KEY,
  -- Start times of the turns taken in the current window, as a JSON array, ascending.
  slots TEXT NOT NULL,
  paused_until INTEGER NOT NULL
) STRICT;
