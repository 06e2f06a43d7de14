-- What metric points add, and what their streams said last.

-- Durations of which only the least is known, the sum in microseconds, and whether explicit bounds were guessed from.
ALTER TABLE durations_minute ADD COLUMN beyond BLOB NOT NULL DEFAULT x'00';
ALTER TABLE durations_minute ADD COLUMN sum DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE durations_minute ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;

-- Calls as duration metrics count them, as calls_minute; beside them, since the same calls may have spans.
CREATE TABLE measured_minute (
    minute BIGINT  NOT NULL,
    series INTEGER NOT NULL,
    part   BIGINT  NOT NULL,
    tally  BLOB    NOT NULL,
    good   BLOB    NOT NULL,
    bad    BLOB    NOT NULL,
    PRIMARY KEY (minute, series, part)
) WITHOUT ROWID;

-- Metric streams by the hash of their identity, as of the watermark. One that was forgotten leaves a floor: what an
-- integration's unknown stream counted before it is not counted again.
CREATE TABLE streams (
    id          BLOB NOT NULL PRIMARY KEY,
    environment TEXT NOT NULL,
    integration TEXT NOT NULL,
    state       BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX streams_by_integration ON streams (integration);
CREATE TABLE stream_floors (
    environment TEXT   NOT NULL,
    integration TEXT   NOT NULL,
    floor       BIGINT NOT NULL,
    PRIMARY KEY (environment, integration)
) WITHOUT ROWID;
