-- The private keys that a server signs with, sealed.
CREATE TABLE signing_keys (
    name TEXT PRIMARY KEY,
    private_key BLOB NOT NULL,
    created_at BIGINT NOT NULL
);
