-- The catalog. Times are i64: *_at, tmin and tmax in unix nanoseconds, minute in minutes since the epoch.
-- Names and columns are the same in every dialect; only types and WITHOUT ROWID differ.

-- How far each inbox has been committed: everything at or below the watermark is in the tables below.
CREATE TABLE inbox (
    id        TEXT   NOT NULL PRIMARY KEY,
    watermark BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO inbox (id, watermark) VALUES ('local', 0);

-- Single numbers: alert_tick = the last tick judged, in minutes.
CREATE TABLE meta (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
) WITHOUT ROWID;

-- Bodies counted within the last hours: the first sequence number that carried a body owns its hash.
CREATE TABLE claims (
    hash BLOB   NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    at   BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX claims_by_time ON claims (at);

-- Parquet files. integrations is a JSON array of [environment, integration].
CREATE TABLE segments (
    id             BLOB    NOT NULL PRIMARY KEY,
    signal         TEXT    NOT NULL,
    level          INTEGER NOT NULL,
    day            TEXT    NOT NULL,
    tmin           BIGINT  NOT NULL,
    tmax           BIGINT  NOT NULL,
    rows           BIGINT  NOT NULL,
    bytes          BIGINT  NOT NULL,
    path           TEXT    NOT NULL,
    schema_version INTEGER NOT NULL,
    integrations   TEXT    NOT NULL,
    replaced_at    BIGINT
) WITHOUT ROWID;
CREATE INDEX segments_by_time ON segments (signal, tmax);

-- A series' key, written once, so that minute rows carry a small number. key is JSON; kind is its shape:
-- 1 calls, 2 calls by connection or credential, 3 gauges, 4 counters, 5 durations.
CREATE TABLE series (
    id          INTEGER NOT NULL PRIMARY KEY,
    kind        INTEGER NOT NULL,
    environment TEXT    NOT NULL,
    integration TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX series_by_integration ON series (integration, kind);

-- Minute rows are insert-only parts, merged when read. part = the watermark their flush moved to.
CREATE TABLE calls_minute (
    minute BIGINT  NOT NULL,
    series INTEGER NOT NULL,
    part   BIGINT  NOT NULL,
    tally  BLOB    NOT NULL,
    good   BLOB    NOT NULL,
    bad    BLOB    NOT NULL,
    PRIMARY KEY (minute, series, part)
) WITHOUT ROWID;
CREATE TABLE facets_minute (
    minute BIGINT  NOT NULL,
    series INTEGER NOT NULL,
    part   BIGINT  NOT NULL,
    tally  BLOB    NOT NULL,
    PRIMARY KEY (minute, series, part)
) WITHOUT ROWID;
CREATE TABLE gauges_minute (
    minute  BIGINT  NOT NULL,
    series  INTEGER NOT NULL,
    part    BIGINT  NOT NULL,
    last    DOUBLE PRECISION NOT NULL,
    last_at BIGINT  NOT NULL,
    min     DOUBLE PRECISION NOT NULL,
    max     DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (minute, series, part)
) WITHOUT ROWID;
CREATE TABLE counters_minute (
    minute BIGINT  NOT NULL,
    series INTEGER NOT NULL,
    part   BIGINT  NOT NULL,
    sum    DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (minute, series, part)
) WITHOUT ROWID;
CREATE TABLE durations_minute (
    minute BIGINT  NOT NULL,
    series INTEGER NOT NULL,
    part   BIGINT  NOT NULL,
    histogram BLOB NOT NULL,
    PRIMARY KEY (minute, series, part)
) WITHOUT ROWID;

-- States: one row a thing, merged by the flush. Their JSON is the type of the same name.
CREATE TABLE outcomes (
    series INTEGER NOT NULL PRIMARY KEY,
    latest TEXT    NOT NULL
);
CREATE TABLE slots (
    environment TEXT NOT NULL,
    integration TEXT NOT NULL,
    credential  TEXT NOT NULL,
    slot        TEXT NOT NULL,
    PRIMARY KEY (environment, integration, credential)
) WITHOUT ROWID;
CREATE TABLE integrations (
    environment  TEXT NOT NULL,
    integration  TEXT NOT NULL,
    registration TEXT NOT NULL,
    PRIMARY KEY (environment, integration)
) WITHOUT ROWID;

-- Facts: runs of reconciliations (the latest report of a run stands) and of jobs (part and place: order of arrival).
CREATE TABLE reconciliations (
    environment TEXT   NOT NULL,
    integration TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    entity      TEXT   NOT NULL,
    run_id      TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    run         TEXT   NOT NULL,
    PRIMARY KEY (environment, integration, name, entity, run_id)
) WITHOUT ROWID;
CREATE INDEX reconciliations_by_time ON reconciliations (at);
CREATE TABLE job_runs (
    part        BIGINT NOT NULL,
    place       BIGINT NOT NULL,
    environment TEXT   NOT NULL,
    integration TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    run         TEXT   NOT NULL,
    PRIMARY KEY (part, place)
) WITHOUT ROWID;
CREATE INDEX job_runs_by_name ON job_runs (environment, integration, name, at);

-- Alert instances by their key as JSON, and incidents.
CREATE TABLE instances (
    instance TEXT NOT NULL PRIMARY KEY,
    state    TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE incidents (
    id          TEXT   NOT NULL PRIMARY KEY,
    code        TEXT   NOT NULL,
    opened_at   BIGINT NOT NULL,
    resolved_at BIGINT,
    incident    TEXT   NOT NULL
) WITHOUT ROWID;
CREATE INDEX incidents_by_time ON incidents (opened_at);
CREATE INDEX incidents_by_code ON incidents (code);

-- The outbox. position is the order of writing; while a mail is leased, next_try_at is the lease's end.
CREATE TABLE mails (
    id          TEXT    NOT NULL PRIMARY KEY,
    position    BIGINT  NOT NULL UNIQUE,
    incident_id TEXT    NOT NULL,
    change      TEXT    NOT NULL,
    recipient   TEXT    NOT NULL,
    from_name   TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    message_id  TEXT    NOT NULL,
    in_reply_to TEXT,
    body_text   TEXT    NOT NULL,
    body_html   TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    state       TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    next_try_at BIGINT  NOT NULL,
    error       TEXT    NOT NULL,
    sent_at     BIGINT,
    detail      TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX mails_by_thread ON mails (incident_id, recipient, position);
CREATE INDEX mails_unsent ON mails (position) WHERE state IN ('queued', 'leased', 'deferred');
