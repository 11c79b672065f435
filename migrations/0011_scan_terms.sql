-- 1 for a scan that asks no source outside the perimeter. 0 and 1 take no byte of the row, so that reading them does not
-- touch the pages of the envelope before them.
ALTER TABLE scan ADD COLUMN is_inside INTEGER NOT NULL DEFAULT 0;
-- Sources whose answer is from this time or before are asked again; null when only the lifetimes of the cache count.
ALTER TABLE scan ADD COLUMN fresh_since INTEGER;

-- A scan of each reach may wait at the same time.
DROP INDEX scan_waiting;
CREATE UNIQUE INDEX scan_waiting ON scan (indicator_hash, workspace_id, is_inside)
WHERE state = 'queued' AND settings_fingerprint IS NULL;

-- Of a partial result these rows now name the sources that failed. Where a row is missing, the scan itself is read.
DELETE FROM ready_result WHERE scan_id IN (SELECT id FROM scan WHERE is_partial = 1);
