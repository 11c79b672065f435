-- Segments became files of their own: one holds records of several imports, and merging replaces some by one.
-- Those of before cannot be read any more (their keys are others), so corpora are imported again.
DROP TABLE corpus_import;
DELETE FROM corpus;
UPDATE workspace SET corpora_revision = lower(hex(randomblob(16)));

CREATE TABLE corpus_import (
  id TEXT PRIMARY KEY,
  corpus TEXT NOT NULL REFERENCES corpus (name) ON DELETE CASCADE,
  file_name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  format TEXT NOT NULL,
  importer TEXT NOT NULL,
  -- JSON objects of texts and of counts.
  options TEXT NOT NULL,
  skipped TEXT NOT NULL,
  read_count INTEGER NOT NULL,
  record_count INTEGER NOT NULL,
  imported_at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  UNIQUE (corpus, sha256)
) STRICT;

-- A file that no row names is deleted.
CREATE TABLE segment (
  file TEXT PRIMARY KEY,
  address_count INTEGER NOT NULL,
  record_count INTEGER NOT NULL,
  template_count INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL
) STRICT;

-- What of a segment counts: records of an import without a row here are dropped by the next merge.
CREATE TABLE segment_import (
  segment_file TEXT NOT NULL REFERENCES segment (file) ON DELETE CASCADE,
  import_id TEXT NOT NULL REFERENCES corpus_import (id) ON DELETE CASCADE,
  PRIMARY KEY (segment_file, import_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_of_import ON segment_import (import_id);

-- Addresses that no corpus answers for, as their key in segments.
CREATE TABLE forgotten (
  corpus_hash TEXT PRIMARY KEY,
  forgotten_at INTEGER NOT NULL
) STRICT;
