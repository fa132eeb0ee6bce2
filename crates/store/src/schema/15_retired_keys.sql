-- When another key took this one's place. What it signed can still be checked with it.

ALTER TABLE signing_keys ADD COLUMN retired_at BIGINT;
