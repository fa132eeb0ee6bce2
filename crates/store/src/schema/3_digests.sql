-- SHA-256 of an artifact's content; older ones have none.

ALTER TABLE artifacts ADD COLUMN digest BLOB;
