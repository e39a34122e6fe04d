-- The first form of the ledger's file. Never edited: a change is another file, applied after this one.

CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: cursors stand on it
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    key TEXT,
    package TEXT NOT NULL,
    spec TEXT NOT NULL,
    state TEXT NOT NULL,
    phase TEXT,
    version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    cancel_requested INTEGER NOT NULL,
    archive TEXT, -- JSON of a Reference
    reason TEXT,
    because TEXT
) STRICT;
CREATE UNIQUE INDEX jobs_by_key ON jobs (tenant, key) WHERE key IS NOT NULL;
CREATE INDEX jobs_by_tenant ON jobs (tenant, seq);
CREATE INDEX jobs_active ON jobs (id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_finished ON jobs (finished_ms) WHERE finished_ms IS NOT NULL;

CREATE TABLE units (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job TEXT NOT NULL,
    tenant TEXT NOT NULL,
    step TEXT NOT NULL,
    need TEXT NOT NULL,
    content TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    token TEXT,
    worker TEXT,
    host TEXT,
    boot TEXT,
    lease_until_ms INTEGER,
    sent_ms INTEGER,
    created_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    result TEXT, -- JSON of an Inline or a Reference
    reason TEXT,
    because TEXT
) STRICT;
CREATE INDEX units_by_job ON units (job, seq);
CREATE INDEX units_open ON units (job) WHERE state IN ('pending', 'running');
CREATE INDEX units_waiting ON units (need, tenant, seq) WHERE state = 'pending' AND sent_ms IS NULL;
CREATE INDEX units_sent ON units (need, tenant, sent_ms) WHERE state = 'pending' AND sent_ms IS NOT NULL;
CREATE INDEX units_running ON units (lease_until_ms) WHERE state = 'running';
CREATE INDEX units_failed ON units (finished_ms) WHERE state = 'failed';

-- Whose turn it is in a queue: the tenant that was served longest ago.
CREATE TABLE turns (
    need TEXT NOT NULL,
    tenant TEXT NOT NULL,
    served INTEGER NOT NULL,
    PRIMARY KEY (need, tenant)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    job TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reconcilers (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    owner TEXT NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT;
