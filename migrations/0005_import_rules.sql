-- SHA-256 of the unpacked text, which tells equal content apart from its packing; NULL for imports of before.
ALTER TABLE corpus_import ADD COLUMN content_sha256 TEXT;
-- Which rules decided what of a record is kept (see `importRules`); 1 may have kept text of foreign files.
ALTER TABLE corpus_import ADD COLUMN rules INTEGER NOT NULL DEFAULT 1;
CREATE INDEX corpus_import_content ON corpus_import (content_sha256);
