-- A list of indicators that was asked for in one call. It is kept as long as scans.
CREATE TABLE bulk (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  created_at INTEGER NOT NULL,
  row_count INTEGER NOT NULL
) STRICT;
CREATE INDEX bulk_by_age ON bulk (created_at);

-- A row of the list. The scan is no foreign key: it may be gone before the list, and the row then says so.
CREATE TABLE bulk_item (
  bulk_id TEXT NOT NULL REFERENCES bulk (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  -- As given where it is no indicator, and null where it is not even text.
  indicator_type TEXT,
  indicator_value TEXT,
  indicator_hash TEXT,
  scan_id TEXT,
  error_code TEXT,
  error_message TEXT,
  PRIMARY KEY (bulk_id, position)
) STRICT, WITHOUT ROWID;
-- For an address that is to be forgotten.
CREATE INDEX bulk_item_by_indicator ON bulk_item (indicator_hash) WHERE indicator_hash IS NOT NULL;

-- 1 for the scans of lists: those of single calls go before them.
ALTER TABLE scan ADD COLUMN is_bulk INTEGER NOT NULL DEFAULT 0;
DROP INDEX scan_queue;
CREATE INDEX scan_queue ON scan (workspace_id, is_bulk) WHERE state = 'queued';
-- Findings that the envelope counts; null for a scan of before this column, and for one without an envelope.
ALTER TABLE scan ADD COLUMN total INTEGER;
