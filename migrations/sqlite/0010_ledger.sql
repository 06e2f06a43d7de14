-- The record ledger: when each hop of a record was told first, unix nanoseconds. The record is a hash of its key. Rows
-- go a day after their first hop. The trace is the last that told of it: 19 digits of when, then its id.
CREATE TABLE ledger (
    environment TEXT   NOT NULL,
    integration TEXT   NOT NULL,
    entity      TEXT   NOT NULL,
    record      TEXT   NOT NULL,
    first_at    BIGINT NOT NULL,
    received    BIGINT,
    queued      BIGINT,
    processed   BIGINT,
    written     BIGINT,
    confirmed   BIGINT,
    trace       TEXT,
    PRIMARY KEY (environment, integration, entity, record)
) WITHOUT ROWID;
CREATE INDEX ledger_by_first ON ledger (first_at);
