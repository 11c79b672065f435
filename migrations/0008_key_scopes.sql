-- What a key may be used for, and the networks that it may be used from: entries with commas between. Null in `scopes` is
-- a key of the time before scopes, null in `allowed_ips` any address. Neither changes in the life of a key.
ALTER TABLE api_key ADD COLUMN scopes TEXT;
ALTER TABLE api_key ADD COLUMN allowed_ips TEXT;
