-- Where the audit trail begins: events up to this one were removed past their retention, and the event
-- `audit.checkpoint` says so in the trail itself. `last_event` is 0 as long as nothing was removed.
CREATE TABLE audit_start (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  last_event INTEGER NOT NULL,
  last_mac TEXT NOT NULL
) STRICT;
INSERT INTO audit_start (id, last_event, last_mac)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- Digests of the keys, operators and workspaces as they stood at that start. Later events of the trail take their place.
CREATE TABLE audit_subject (
  id TEXT PRIMARY KEY,
  digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Events before this schema hold no digests. The program that upgrades an existing directory writes down how its keys,
-- operators and workspaces stand now (`audit.baseline`), and removes this row with it.
INSERT INTO property (name, value) SELECT 'audit_baseline_due', '1' FROM workspace LIMIT 1;

-- Totals of use are removed past their retention. A hit changes the counts of an hour, never the hour.
CREATE INDEX usage_by_age ON usage (hour);

-- The index of holders loses its reference to the events: to delete an event, the database would search all of it.
ALTER TABLE audit_holder RENAME TO audit_holder_before;
CREATE TABLE audit_holder (
  holder TEXT NOT NULL,
  first_event INTEGER NOT NULL,
  PRIMARY KEY (holder, first_event)
) STRICT, WITHOUT ROWID;
INSERT INTO audit_holder (holder, first_event) SELECT holder, first_event FROM audit_holder_before;
DROP TABLE audit_holder_before;
CREATE TRIGGER audit_holder_refuses_update BEFORE UPDATE ON audit_holder
BEGIN
  SELECT RAISE(ABORT, 'audit events are never changed');
END;

-- Events may be removed in front of the start only, and the start never moves back.
DROP TRIGGER audit_refuses_delete;
CREATE TRIGGER audit_refuses_delete BEFORE DELETE ON audit
WHEN OLD.last_event > coalesce((SELECT last_event FROM audit_start), 0)
BEGIN
  SELECT RAISE(ABORT, 'audit events are never deleted');
END;
CREATE TRIGGER audit_holder_refuses_delete BEFORE DELETE ON audit_holder
WHEN OLD.first_event > coalesce((SELECT last_event FROM audit_start), 0)
BEGIN
  SELECT RAISE(ABORT, 'audit events are never deleted');
END;
CREATE TRIGGER audit_start_refuses_return BEFORE UPDATE ON audit_start
WHEN NEW.last_event <= OLD.last_event
BEGIN
  SELECT RAISE(ABORT, 'the start of the audit trail never moves back');
END;
CREATE TRIGGER audit_start_refuses_delete BEFORE DELETE ON audit_start
BEGIN
  SELECT RAISE(ABORT, 'the start of the audit trail is never deleted');
END;
