-- What people withhold from being told, and what they said they look at. matchers is a JSON object of label or "rule"
-- and value. Ended rows stay: the audit log names them.
CREATE TABLE silences (
    id       INTEGER NOT NULL PRIMARY KEY,
    matchers TEXT    NOT NULL,
    author   TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    from_at  BIGINT  NOT NULL,
    until_at BIGINT  NOT NULL,
    made_at  BIGINT  NOT NULL
);
CREATE INDEX silences_by_end ON silences (until_at);

-- The latest word of an incident; taken back by an end that has passed.
CREATE TABLE acknowledgements (
    incident TEXT   NOT NULL PRIMARY KEY,
    by_whom  TEXT   NOT NULL,
    note     TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    until_at BIGINT NOT NULL
) WITHOUT ROWID;
