-- Error groups by fingerprint (32 hex digits). received_at is when a failure was last received: what retention counts
-- from. direction is empty for what is no call.
CREATE TABLE error_groups (
    fingerprint   TEXT   NOT NULL PRIMARY KEY,
    environment   TEXT   NOT NULL,
    integration   TEXT   NOT NULL,
    direction     TEXT   NOT NULL,
    peer          TEXT   NOT NULL,
    endpoint      TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    message       TEXT   NOT NULL,
    first_seen    BIGINT NOT NULL,
    first_version TEXT   NOT NULL,
    last_seen     BIGINT NOT NULL,
    said          TEXT   NOT NULL,
    received_at   BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX error_groups_by_time ON error_groups (last_seen);
CREATE INDEX error_groups_by_integration ON error_groups (integration, last_seen);

-- Failures of a group by hour since the epoch.
CREATE TABLE error_hours (
    fingerprint TEXT   NOT NULL,
    hour        BIGINT NOT NULL,
    failures    BIGINT NOT NULL,
    PRIMARY KEY (fingerprint, hour)
) WITHOUT ROWID;

-- What is kept whole for an error group or an incident (owner: fingerprint or id), however long its segment lives.
-- name says what of the owner's it is, so that the same is kept once. kind: failure, log or rule. day: of receipt,
-- since the epoch. payload is text to be searched; content is JSON in zstd.
CREATE TABLE pins (
    owner       TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    day         BIGINT NOT NULL,
    payload     TEXT   NOT NULL,
    content     BLOB   NOT NULL,
    PRIMARY KEY (owner, name)
);
CREATE INDEX pins_by_day ON pins (owner, day);
CREATE INDEX pins_by_receipt ON pins (received_at);

-- What changed about an integration: versions (kind version, at = first seen) and integration.change events.
CREATE TABLE changes (
    environment  TEXT   NOT NULL,
    integration  TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    received_at  BIGINT NOT NULL,
    text         TEXT   NOT NULL,
    effective_at BIGINT,
    PRIMARY KEY (environment, integration, kind, name)
) WITHOUT ROWID;
CREATE INDEX changes_by_time ON changes (integration, at);
