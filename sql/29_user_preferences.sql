-- Part: once, since 0.3.0
-- What subscribers want of the signals they are entitled to, and when a tier lets them wait. The
-- names of constraints are what whoever is refused reads.
CREATE TABLE @extschema@.user_preferences (
    user_id        uuid        PRIMARY KEY,
    only_symbols   text[]      CONSTRAINT "only_symbols must have 1 to 200 symbols, or be null"
                               CHECK (cardinality(only_symbols) BETWEEN 1 AND 200),
    not_symbols    text[]      CONSTRAINT "not_symbols must have 200 symbols at most"
                               CHECK (cardinality(not_symbols) <= 200),
    sides          text[]      CONSTRAINT "sides must be LONG, SHORT or both, or null"
                               CHECK (sides <@ '{LONG,SHORT}' AND cardinality(sides) BETWEEN 1 AND 2),
    strategies     text[]      CONSTRAINT "strategies must have 1 to 50 names, or be null"
                               CHECK (cardinality(strategies) BETWEEN 1 AND 50),
    min_confidence numeric     CONSTRAINT "min_confidence must be from 0 to 100"
                               CHECK (min_confidence BETWEEN 0 AND 100),
    min_quality    numeric     CONSTRAINT "min_quality must be from 0 to 100" CHECK (min_quality BETWEEN 0 AND 100),
    max_per_day    integer     CONSTRAINT "max_per_day must be from 0 to 1000000"
                               CHECK (max_per_day BETWEEN 0 AND 1000000),
    quiet_from     time        CONSTRAINT "quiet_from must not be 24:00" CHECK (quiet_from < '24:00'),
    quiet_until    time        CONSTRAINT "quiet_until must not be 24:00" CHECK (quiet_until < '24:00'),
    time_zone      text,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT "symbols must be in upper case" CHECK (
        array_to_string(only_symbols, ' ') = upper(array_to_string(only_symbols, ' '))
        AND array_to_string(not_symbols, ' ') = upper(array_to_string(not_symbols, ' '))),
    CONSTRAINT "names in lists must have 1 to 50 characters" CHECK (
        '' <> ALL (only_symbols || not_symbols || strategies)
        AND array_position(only_symbols || not_symbols || strategies || sides, NULL) IS NULL
        AND array_to_string(only_symbols || not_symbols || strategies, E'\n') !~ E'[^\n]{51}'),
    CONSTRAINT "quiet hours need a begin, another end, and a time zone" CHECK (
        num_nulls(quiet_from, quiet_until) <> 1
        AND (quiet_from IS NULL OR quiet_from <> quiet_until AND time_zone IS NOT NULL))
);
COMMENT ON TABLE @extschema@.user_preferences IS
    'what a subscriber wants of the signals that their tier entitles them to; one row each, theirs to change. Without '
    'a row, and where a column is null, they receive all. A change while a signal is on its way counts for those whom '
    'it has yet to reach';
COMMENT ON COLUMN @extschema@.user_preferences.user_id IS
    'the subscriber; the row stays when their subscription is deleted';
COMMENT ON COLUMN @extschema@.user_preferences.only_symbols IS 'symbols to receive; null takes all';
COMMENT ON COLUMN @extschema@.user_preferences.not_symbols IS 'symbols to leave out, also of those above';
COMMENT ON COLUMN @extschema@.user_preferences.sides IS 'LONG, SHORT or both; null takes both';
COMMENT ON COLUMN @extschema@.user_preferences.strategies IS 'strategies to receive; null takes all';
COMMENT ON COLUMN @extschema@.user_preferences.min_confidence IS 'least confidence, 0 to 100';
COMMENT ON COLUMN @extschema@.user_preferences.min_quality IS 'least quality score, 0 to 100';
COMMENT ON COLUMN @extschema@.user_preferences.max_per_day IS
    'most signals of a UTC day; never more than daily_quota of the tier; 0 means none';
COMMENT ON COLUMN @extschema@.user_preferences.quiet_from IS
    'from when on there are no notifications, by the time of day in time_zone; signals are delivered all the same';
COMMENT ON COLUMN @extschema@.user_preferences.quiet_until IS
    'until when, not included; before quiet_from it is on the next day';
COMMENT ON COLUMN @extschema@.user_preferences.time_zone IS
    'zone of the quiet hours, such as Europe/Berlin; one that this server does not know, as after a restore, is kept, '
    'and there are no quiet hours';
COMMENT ON COLUMN @extschema@.user_preferences.updated_at IS 'when the row last changed; set by a trigger';
-- What a fan-out reads, and no more: whoever has only quiet hours is in neither.
CREATE INDEX user_preferences_filters_idx ON @extschema@.user_preferences (user_id) WHERE @has_filters@;
COMMENT ON INDEX @extschema@.user_preferences_filters_idx IS
    'for the fan-out: who leaves out signals by symbol, side, strategy or strength';
CREATE INDEX user_preferences_max_per_day_idx ON @extschema@.user_preferences (user_id) INCLUDE (max_per_day)
    WHERE max_per_day IS NOT NULL;
COMMENT ON INDEX @extschema@.user_preferences_max_per_day_idx IS 'for the fan-out: who has a limit of their own';
ALTER TABLE @extschema@.user_preferences ENABLE ROW LEVEL SECURITY;
SELECT pg_catalog.pg_extension_config_dump('@extschema@.user_preferences', '');

ALTER TABLE @extschema@.signal_tiers ADD COLUMN min_gap interval
    CONSTRAINT "min_gap must be above 0 and at most 7 days" CHECK (min_gap > '0' AND min_gap <= interval '7 days');
COMMENT ON COLUMN @extschema@.signal_tiers.min_gap IS
    'least time between two signals to one subscriber; of several of one run the one with the best quality score is '
    'taken; null is no limit';
