"""The tables of the server's database."""

VERSION = 4
"""Version of the schema; raise it with every change that older databases do not match."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, created REAL NOT NULL, seen REAL NOT NULL,
    facts TEXT NOT NULL, finish TEXT
);
CREATE INDEX IF NOT EXISTS sessions_of_owners ON sessions (owner, created, id);
CREATE TABLE IF NOT EXISTS models (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL,
    seen REAL NOT NULL, facts TEXT NOT NULL, ready INTEGER NOT NULL DEFAULT 0,
    unloaded INTEGER NOT NULL DEFAULT 0, next_seq_id INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS models_of_owners ON models (owner, created, id);
CREATE INDEX IF NOT EXISTS models_of_sessions ON models (session_id);
CREATE TABLE IF NOT EXISTS adapters (
    model_id TEXT PRIMARY KEY, file TEXT NOT NULL, log_id INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, model_id TEXT NOT NULL, request_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS log_of_models ON log (model_id, id);
CREATE TABLE IF NOT EXISTS samplers (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL,
    base_model TEXT NOT NULL, model_path TEXT, model_id TEXT, joined INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS samplers_of_sessions ON samplers (session_id);
CREATE TABLE IF NOT EXISTS ephemeral_weights (sampler_id TEXT PRIMARY KEY, file TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    id TEXT PRIMARY KEY, target TEXT NOT NULL, owner TEXT NOT NULL, operation TEXT NOT NULL,
    seq_id INTEGER, digest BLOB NOT NULL, media_type TEXT NOT NULL, created REAL NOT NULL,
    state TEXT NOT NULL, started REAL, finished REAL, result_type TEXT, read REAL, result BLOB
);
CREATE INDEX IF NOT EXISTS targets ON requests (target);
CREATE TABLE IF NOT EXISTS bodies (request_id TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pending ON requests (state) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS finished ON requests (finished) WHERE state = 'done';
CREATE TABLE IF NOT EXISTS checkpoints (
    path TEXT PRIMARY KEY, model_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    folder TEXT NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL, expires REAL, size INTEGER NOT NULL,
    public INTEGER NOT NULL DEFAULT 0, facts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS checkpoints_of_models ON checkpoints (model_id);
CREATE INDEX IF NOT EXISTS checkpoints_of_owners ON checkpoints (owner, created, path);
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, event TEXT NOT NULL,
    actor TEXT NOT NULL, model_id TEXT, path TEXT, facts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS completions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, clone INTEGER NOT NULL,
    request_id TEXT NOT NULL, state TEXT NOT NULL, size INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS completions_of_samplers ON completions (target, clone, id);
CREATE TABLE IF NOT EXISTS usage (
    hour INTEGER NOT NULL, owner TEXT NOT NULL, session_id TEXT NOT NULL, base_model TEXT NOT NULL,
    kind TEXT NOT NULL, amount REAL NOT NULL, PRIMARY KEY (hour, owner, session_id, base_model, kind)
);
CREATE TABLE IF NOT EXISTS recordings (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, used REAL NOT NULL, content BLOB
);
CREATE INDEX IF NOT EXISTS kept_recordings ON recordings (used) WHERE content IS NOT NULL;
CREATE TABLE IF NOT EXISTS metrics (
    model_id TEXT NOT NULL, name TEXT NOT NULL, step INTEGER NOT NULL, total REAL NOT NULL,
    weight REAL NOT NULL, PRIMARY KEY (model_id, name, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS curves (
    model_id TEXT NOT NULL, name TEXT NOT NULL, steps INTEGER NOT NULL, total REAL NOT NULL,
    PRIMARY KEY (model_id, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unreferenced (folder TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS snapshots (file TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS revoked_keys (hash TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS losses (id TEXT PRIMARY KEY, owner TEXT NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL,
    facts TEXT NOT NULL, path TEXT
);
CREATE TABLE IF NOT EXISTS copies (key TEXT PRIMARY KEY, digest BLOB NOT NULL, path TEXT NOT NULL);
"""
