-- An envelope holds the first `scan.max_findings` of its findings; of each source the rest is counted.
ALTER TABLE source_run ADD COLUMN omitted_count INTEGER NOT NULL DEFAULT 0;
-- The answer that counts for a source, and whether an earlier scan got it.
ALTER TABLE source_run ADD COLUMN answered_at INTEGER;
ALTER TABLE source_run ADD COLUMN is_reused INTEGER NOT NULL DEFAULT 0;
