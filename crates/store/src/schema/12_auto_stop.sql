-- When an environment is stopped by itself.

ALTER TABLE environments ADD COLUMN auto_stop_at BIGINT;
CREATE INDEX environments_due ON environments (auto_stop_at) WHERE auto_stop_at IS NOT NULL;
