-- Who may send, who may see, and who did what. What changes who may do what adds one to access_version in meta, so that
-- a server sees what another process changed.
INSERT INTO meta (name, value) VALUES ('access_version', 0);

-- Keys that telemetry is sent with. Never deleted, since the inbox and the audit log name them by their number.
CREATE TABLE ingest_keys (
    id            INTEGER NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    hash          BLOB    NOT NULL UNIQUE,
    tail          TEXT    NOT NULL,
    -- Patterns of what it may send for; `*` is any run of letters.
    integration   TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    made_at       BIGINT  NOT NULL,
    made_by       TEXT    NOT NULL,
    expires_at    BIGINT,
    -- From then on what it sends is refused …
    revoked_at    BIGINT,
    -- … but taken and flagged until this later time, where that was chosen.
    flagged_until BIGINT,
    last_used_at  BIGINT,
    -- Requests and bytes a second; none for no limit.
    rate          BIGINT,
    byte_rate     BIGINT
);
CREATE TRIGGER a_key_stays BEFORE DELETE ON ingest_keys BEGIN SELECT raise(ABORT, 'keys are revoked, never deleted'); END;
CREATE TRIGGER a_key_opens_what_it_opened BEFORE UPDATE OF id, name, hash, integration, environment ON ingest_keys
BEGIN SELECT raise(ABORT, 'what a key opens never changes'); END;

-- Entries hang together by their hashes; nothing here is ever changed or deleted.
CREATE TABLE audit (
    number  INTEGER NOT NULL PRIMARY KEY,
    at      BIGINT  NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    address TEXT    NOT NULL,
    hash    BLOB    NOT NULL
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
