-- Of the prefix only what tells keys apart: the whole of it, beside the hash, reads as a key.
UPDATE api_key SET prefix = substr(prefix, 10);

-- Sessions of the dashboard. The hash is keyed, as that of keys and operator tokens.
CREATE TABLE session (
  hash TEXT PRIMARY KEY,
  operator_id TEXT NOT NULL REFERENCES operator (id),
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_operator ON session (operator_id);
CREATE INDEX session_by_expiry ON session (expires_at);
CREATE INDEX operator_by_workspace ON operator (workspace_id);

-- The newest completed scan of each indicator and workspace, ready to be answered: one small look-up serves a hit, a
-- tenth of the cost of finding the scan by its index and reading its columns. `slot` is a 53-bit hash of indicator and
-- workspace; `body` says whose it is. A row may be missing: then the scan itself is read.
CREATE TABLE ready_result (
  slot INTEGER PRIMARY KEY,
  scan_id TEXT NOT NULL UNIQUE REFERENCES scan (id) ON DELETE CASCADE,
  body TEXT NOT NULL
) STRICT;

-- What a key has left. A rotation copies the rows to the new key.
CREATE TABLE budget (
  key_id TEXT NOT NULL REFERENCES api_key (id),
  kind TEXT NOT NULL,
  window_started_at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (key_id, kind)
) STRICT, WITHOUT ROWID;

-- Totals for the overview. `hour` is Unix milliseconds, a multiple of an hour.
CREATE TABLE usage (
  workspace_id TEXT NOT NULL REFERENCES workspace (id),
  hour INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  hits INTEGER NOT NULL,
  polls INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, hour)
) STRICT, WITHOUT ROWID;

-- Keys that were given the final answer of a scan: the audit trail names this once.
CREATE TABLE polled (
  scan_id TEXT NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
  key_id TEXT NOT NULL REFERENCES api_key (id),
  PRIMARY KEY (scan_id, key_id)
) STRICT, WITHOUT ROWID;

-- The audit trail. A row of this table holds the events that were written together, one per line: the mac of the
-- event, a blank, and its fields as a JSON array. Event numbers go up by one through all rows. What a busy turn writes
-- is one row and not fifty, and a hit pays a fifth.
CREATE TABLE audit (
  first_event INTEGER PRIMARY KEY,
  last_event INTEGER NOT NULL,
  last_mac TEXT NOT NULL,
  events TEXT NOT NULL
) STRICT;
-- Where the events of a workspace and of a key are.
CREATE TABLE audit_holder (
  holder TEXT NOT NULL,
  first_event INTEGER NOT NULL REFERENCES audit (first_event),
  PRIMARY KEY (holder, first_event)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_refuses_update BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'audit events are never changed');
END;
CREATE TRIGGER audit_refuses_delete BEFORE DELETE ON audit
BEGIN
  SELECT RAISE(ABORT, 'audit events are never deleted');
END;
CREATE TRIGGER audit_holder_refuses_update BEFORE UPDATE ON audit_holder
BEGIN
  SELECT RAISE(ABORT, 'audit events are never changed');
END;
CREATE TRIGGER audit_holder_refuses_delete BEFORE DELETE ON audit_holder
BEGIN
  SELECT RAISE(ABORT, 'audit events are never deleted');
END;
-- Replacing a row fires no trigger for its deletion.
CREATE TRIGGER audit_refuses_replacement BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE first_event = NEW.first_event)
BEGIN
  SELECT RAISE(ABORT, 'audit events are never changed');
END;
