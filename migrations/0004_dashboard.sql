-- How sources fared, by workspace and hour: what the dashboard shows of a day, without reading the scans of that day.
-- A source whose answer was taken over from an earlier scan was not asked and is not counted.
CREATE TABLE source_usage (
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  -- Unix milliseconds, a multiple of an hour.
  hour INTEGER NOT NULL,
  source TEXT NOT NULL,
  outcome TEXT NOT NULL,
  runs INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  -- Of the last of these runs.
  ended_at INTEGER NOT NULL,
  error TEXT,
  quota_left INTEGER,
  PRIMARY KEY (workspace_id, hour, source, outcome)
) STRICT, WITHOUT ROWID;
CREATE INDEX source_usage_by_age ON source_usage (hour);
