-- Other things that have one row each, merged by the flush. state is the JSON of the kind's state.
CREATE TABLE states (
    environment TEXT NOT NULL,
    integration TEXT NOT NULL,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    state       TEXT NOT NULL,
    PRIMARY KEY (environment, integration, kind, name)
) WITHOUT ROWID;

-- What the last four weeks of a thing were like, as learned up to the minute meta.usual_until.
CREATE TABLE usual (
    environment TEXT NOT NULL,
    integration TEXT NOT NULL,
    figure      TEXT NOT NULL,
    name        TEXT NOT NULL,
    track       BLOB NOT NULL,
    PRIMARY KEY (environment, integration, figure, name)
) WITHOUT ROWID;

-- What the signals said at the last tick, all of an integration in one row; that of things which several share has an
-- empty name. items is a JSON array.
CREATE TABLE signal_values (
    environment TEXT   NOT NULL,
    integration TEXT   NOT NULL,
    tick        BIGINT NOT NULL,
    items       TEXT   NOT NULL,
    PRIMARY KEY (environment, integration)
) WITHOUT ROWID;
