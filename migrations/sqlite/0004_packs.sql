-- Minute rows of calls, packed: one row for all series of an integration in a minute of a flush. With thousands of
-- endpoints a row for each was a third of what a span cost. They are insert-only parts, merged when read, as before.
-- kind: 1 calls, 2 calls by connection or credential, 6 calls as duration metrics count them.
-- counts: for each series its number in 4 bytes, greatest first, and its tally. histograms: theirs, in the same order.
CREATE TABLE packs (
    kind        INTEGER NOT NULL,
    minute      BIGINT  NOT NULL,
    environment TEXT    NOT NULL,
    integration TEXT    NOT NULL,
    part        BIGINT  NOT NULL,
    counts      BLOB    NOT NULL,
    histograms  BLOB    NOT NULL,
    PRIMARY KEY (kind, minute, environment, integration, part)
);
INSERT INTO packs (kind, minute, environment, integration, part, counts, histograms)
    SELECT 1, minute, environment, integration, part,
           unhex(group_concat(printf('%08X', series) || hex(tally), '')),
           unhex(group_concat(hex(good) || hex(bad), ''))
    FROM calls_minute JOIN series ON series.id = calls_minute.series
    GROUP BY minute, environment, integration, part;
INSERT INTO packs (kind, minute, environment, integration, part, counts, histograms)
    SELECT 2, minute, environment, integration, part,
           unhex(group_concat(printf('%08X', series) || hex(tally), '')), x''
    FROM facets_minute JOIN series ON series.id = facets_minute.series
    GROUP BY minute, environment, integration, part;
INSERT INTO packs (kind, minute, environment, integration, part, counts, histograms)
    SELECT 6, minute, environment, integration, part,
           unhex(group_concat(printf('%08X', series) || hex(tally), '')),
           unhex(group_concat(hex(good) || hex(bad), ''))
    FROM measured_minute JOIN series ON series.id = measured_minute.series
    GROUP BY minute, environment, integration, part;
DROP TABLE calls_minute;
DROP TABLE facets_minute;
DROP TABLE measured_minute;

-- The latest outcomes of calls, 32 series a row (bucket = series / 32): a row is about a page, so that one call writes
-- no more than it did, and thousands of series write a thirtieth of the rows. For each series: its number in 4 bytes,
-- how many outcomes in 1, and of each its time in 8, its operation in 8, and in 1 whether it was good.
CREATE TABLE latest_outcomes (
    bucket   INTEGER NOT NULL PRIMARY KEY,
    outcomes BLOB    NOT NULL
);
-- Operations are numbers of 64 bits without a sign, which SQLite does not have: the decimal digits are split in two
-- tens, high and low, and 10^10 = 2 * 2^32 + 1410065408.
INSERT INTO latest_outcomes (bucket, outcomes)
    SELECT series / 32, unhex(group_concat(entry, ''))
    FROM (
        SELECT series,
               printf('%08X%02X', series, count(*)) || group_concat(
                   printf('%016X%08X%08X%02X', at, 2 * high + ((high * 1410065408 + low) >> 32),
                          (high * 1410065408 + low) & 4294967295, good),
                   '' ORDER BY place) AS entry
        FROM (
            SELECT outcomes.series AS series, one.key AS place, one.value ->> 0 AS at, one.value ->> 2 AS good,
                   CAST(substr('00000000000000000000' || (one.value -> 1), -20, 10) AS INTEGER) AS high,
                   CAST(substr('00000000000000000000' || (one.value -> 1), -10) AS INTEGER) AS low
            FROM outcomes, json_each(outcomes.latest) AS one
        )
        GROUP BY series
    )
    GROUP BY series / 32;
DROP TABLE outcomes;
