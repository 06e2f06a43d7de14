-- People, how they are known again, and what they hand out.

-- Never deleted, since the audit log names them: who may no longer come in is disabled.
CREATE TABLE users (
    id          INTEGER NOT NULL PRIMARY KEY,
    -- What they sign in with. Two that differ in case alone would be taken for each other by people.
    name        TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    display     TEXT    NOT NULL,
    role        TEXT    NOT NULL,
    -- argon2id; none for who has no password: not invited yet, or known by another.
    password    TEXT,
    -- Who vouches for them, and as whom; both or neither. Never an e-mail address.
    issuer      TEXT,
    subject     TEXT,
    -- Goes up whenever what they may do or know changes: links made before it open nothing.
    version     BIGINT  NOT NULL DEFAULT 1,
    made_at     BIGINT  NOT NULL,
    made_by     TEXT    NOT NULL,
    disabled_at BIGINT,
    UNIQUE (issuer, subject)
);

CREATE TABLE sessions (
    hash     BLOB   NOT NULL PRIMARY KEY,
    user     BIGINT NOT NULL,
    made_at  BIGINT NOT NULL,
    seen_at  BIGINT NOT NULL,
    -- Over then, however busy.
    ends_at  BIGINT NOT NULL,
    address  TEXT   NOT NULL,
    agent    TEXT   NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user);

CREATE TABLE api_tokens (
    id           INTEGER NOT NULL PRIMARY KEY,
    user         BIGINT  NOT NULL,
    name         TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    tail         TEXT    NOT NULL,
    -- At most this; never more than what its owner may now.
    role         TEXT    NOT NULL,
    made_at      BIGINT  NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX tokens_of_user ON api_tokens (user);

-- The link that makes the first admin: one at a time.
CREATE TABLE setup (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       BLOB   NOT NULL,
    expires_at BIGINT NOT NULL,
    tries_left BIGINT NOT NULL
);

-- Random bytes that links and forms are signed with.
CREATE TABLE signing (
    id     TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
);

-- What changes who may do what adds one to access_version, so that open streams are looked at again.
CREATE TRIGGER a_user_was_made AFTER INSERT ON users
BEGIN UPDATE meta SET value = value + 1 WHERE name = 'access_version'; END;
CREATE TRIGGER a_user_was_changed AFTER UPDATE ON users
BEGIN UPDATE meta SET value = value + 1 WHERE name = 'access_version'; END;
CREATE TRIGGER a_session_was_ended AFTER DELETE ON sessions
BEGIN UPDATE meta SET value = value + 1 WHERE name = 'access_version'; END;
CREATE TRIGGER a_token_was_revoked AFTER UPDATE OF revoked_at ON api_tokens
BEGIN UPDATE meta SET value = value + 1 WHERE name = 'access_version'; END;
