-- The watch list of each workspace (docs/pipeline.md 20). An address is only here encrypted; its keyed hash finds it.
CREATE TABLE watched (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  indicator_hash TEXT NOT NULL,
  sealed BLOB NOT NULL,
  label TEXT,
  added_at INTEGER NOT NULL,
  -- The last check that a source answered; null before the first.
  last_checked_at INTEGER,
  -- When the next full scan is due; null until it is scheduled.
  next_scan_at INTEGER,
  -- The full scan that waits or runs.
  scan_id TEXT,
  UNIQUE (workspace_id, indicator_hash)
) STRICT;
CREATE INDEX watched_by_place ON watched (workspace_id, id);
CREATE INDEX watched_by_hash ON watched (indicator_hash);
CREATE INDEX watched_unchecked ON watched (workspace_id, id) WHERE last_checked_at IS NULL;
CREATE INDEX watched_by_scan_time ON watched (next_scan_at) WHERE scan_id IS NULL;
CREATE INDEX watched_in_scan ON watched (scan_id) WHERE scan_id IS NOT NULL;

-- What the last check of each address held.
CREATE TABLE watched_finding (
  watched_id INTEGER NOT NULL REFERENCES watched (id) ON DELETE CASCADE,
  source TEXT NOT NULL,
  finding_hash TEXT NOT NULL,
  severity TEXT NOT NULL,
  PRIMARY KEY (watched_id, source, finding_hash)
) STRICT, WITHOUT ROWID;

-- What the watch list of a workspace was last compared with, and the number of its last event.
CREATE TABLE watch_state (
  workspace_id TEXT PRIMARY KEY REFERENCES workspace (id),
  -- Revisions of the corpora by name, as a JSON object; null until there is a list.
  corpora TEXT,
  last_event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rounds under way. One that a crash interrupts goes on after `after_id`.
CREATE TABLE watch_round (
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  trigger TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  -- Names of the corpora that changed, and revisions by name, as JSON.
  changed TEXT NOT NULL,
  corpora TEXT NOT NULL,
  after_id INTEGER NOT NULL,
  checked_count INTEGER NOT NULL,
  matched_count INTEGER NOT NULL,
  new_count INTEGER NOT NULL,
  failed_count INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, trigger)
) STRICT, WITHOUT ROWID;

-- Sources that failed in the last check that asked them.
CREATE TABLE watch_source (
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  source TEXT NOT NULL,
  failing_since INTEGER NOT NULL,
  is_told INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, source)
) STRICT, WITHOUT ROWID;

-- Events for readers and webhooks. `place` is their order over all workspaces and never shown.
CREATE TABLE event (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  -- Counted for each workspace, without a gap, from 1 on.
  number INTEGER NOT NULL,
  type TEXT NOT NULL,
  at INTEGER NOT NULL,
  indicator_hash TEXT,
  sealed BLOB NOT NULL,
  UNIQUE (workspace_id, number)
) STRICT;
CREATE INDEX event_by_age ON event (at);
CREATE INDEX event_by_hash ON event (indicator_hash) WHERE indicator_hash IS NOT NULL;

-- The hour in which a key last read events, for the audit trail.
CREATE TABLE event_reader (
  key_id TEXT PRIMARY KEY REFERENCES api_key (id),
  hour INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far each webhook is. Events up to `place` were taken; those that failed wait in `webhook_retry`.
CREATE TABLE webhook (
  name TEXT PRIMARY KEY,
  place INTEGER NOT NULL,
  -- 1 after the receiver said 410.
  is_off INTEGER NOT NULL,
  delivered_at INTEGER,
  failed_at INTEGER,
  -- Why the last attempt failed.
  fault TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_retry (
  name TEXT NOT NULL REFERENCES webhook (name) ON DELETE CASCADE,
  place INTEGER NOT NULL REFERENCES event (place) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  PRIMARY KEY (name, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_retry_by_time ON webhook_retry (name, next_at);
CREATE INDEX webhook_retry_by_place ON webhook_retry (place);
