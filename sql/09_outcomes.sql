-- Part: once, since 0.3.0
-- What became of each signal. No foreign key: a signal may be purged, its outcome stays.
-- 41_chain_of_outcomes.sql keeps the rows as they are.
CREATE TABLE @extschema@.signal_outcomes (
    signal_id              bigint      PRIMARY KEY,
    strategy               text        NOT NULL,
    symbol                 text        NOT NULL,
    signal_type            text        NOT NULL CONSTRAINT "signal_type is LONG or SHORT"
                                       CHECK (signal_type IN ('LONG', 'SHORT')),
    reason                 text        NOT NULL,
    signal_at              timestamptz NOT NULL,
    expires_at             timestamptz NOT NULL,
    entry_price            numeric     NOT NULL,
    stop_loss              numeric     NOT NULL,
    take_profit            numeric[]   NOT NULL,
    stop_loss_percent      numeric     NOT NULL,
    take_profit_percents   numeric[]   NOT NULL,
    confidence             numeric     NOT NULL,
    quality_score          numeric     NOT NULL,
    price_change_percent   numeric     NOT NULL,
    range_percent          numeric     NOT NULL,
    forecast_target        numeric,
    forecast_stop          numeric,
    state                  text        NOT NULL DEFAULT 'open' CONSTRAINT "state is open, settled or void"
                                       CHECK (state IN ('open', 'settled', 'void')),
    void_why               text,
    best_target            integer,
    first_touch            text        CONSTRAINT "first_touch is target, stop or none"
                                       CHECK (first_touch IN ('target', 'stop', 'none')),
    ended                  text        CONSTRAINT "ended is target, stop or expired"
                                       CHECK (ended IN ('target', 'stop', 'expired')),
    target_at              timestamptz[],
    stop_at                timestamptz,
    ended_at               timestamptz,
    returns_percent        numeric[],
    ladder_percent         numeric,
    hold_percent           numeric,
    mirror_percent         numeric,
    mirror_returns_percent numeric[],
    mfe_percent            numeric,
    mae_percent            numeric,
    fee_percent            numeric,
    resolution             text,
    ambiguous              boolean,
    gap                    boolean,
    source                 text,
    high_seen              numeric,
    low_seen               numeric,
    superseded_at          timestamptz,
    withheld_by            text,
    settled_at             timestamptz,
    opened_position        bigint      NOT NULL,
    opened_at              timestamptz NOT NULL,
    nonce                  uuid        NOT NULL,
    opened_digest          bytea       NOT NULL,
    settled_position       bigint,
    digest                 bytea,
    CONSTRAINT "signal_at and expires_at are times" CHECK (isfinite(signal_at) AND isfinite(expires_at)),
    CONSTRAINT "there is a percentage for each target"
        CHECK (cardinality(take_profit) = cardinality(take_profit_percents) AND cardinality(take_profit) > 0),
    CONSTRAINT "an open outcome has no result"
        CHECK (state <> 'open'
               OR num_nonnulls(void_why, returns_percent, ladder_percent, hold_percent, mirror_percent,
                               mirror_returns_percent, mfe_percent, mae_percent, fee_percent, resolution,
                               ambiguous, gap, settled_at, settled_position, digest) = 0),
    CONSTRAINT "a settled outcome has a whole result"
        CHECK (state <> 'settled'
               OR void_why IS NULL
                  AND num_nulls(best_target, first_touch, ended, target_at, ended_at, returns_percent,
                                ladder_percent, hold_percent, mfe_percent, mae_percent, fee_percent, resolution,
                                ambiguous, gap, settled_at, settled_position, digest) = 0
                  AND cardinality(target_at) = best_target
                  AND cardinality(returns_percent) = cardinality(take_profit)),
    CONSTRAINT "a void outcome says why and has no result"
        CHECK (state <> 'void'
               OR num_nulls(void_why, settled_at, settled_position, digest) = 0
                  AND num_nonnulls(best_target, first_touch, ended, target_at, stop_at, ended_at, returns_percent,
                                   ladder_percent, hold_percent, mirror_percent, mirror_returns_percent, mfe_percent,
                                   mae_percent, fee_percent, resolution, ambiguous, gap) = 0)
) WITH (fillfactor = 70);
COMMENT ON TABLE @extschema@.signal_outcomes IS
'what became of each signal: one row per signal, opened with it and settled once, when its time has passed; never '
'purged.
A row that is settled or void never changes and none is ever deleted: triggers refuse it, and verify_track_record() '
'finds what was changed with the triggers off. While a row is open, the columns best_target, first_touch, ended, '
'target_at, stop_at, ended_at, high_seen and low_seen are provisional: they say what the last prices showed that '
'were asked for. What is settled comes from candles.
Columns that tell no level can be published to clients, see enable_realtime(); user_signal_outcomes is the view for '
'subscribers';
COMMENT ON COLUMN @extschema@.signal_outcomes.signal_id IS 'the signal, see signals, from which it may be purged';
COMMENT ON COLUMN @extschema@.signal_outcomes.strategy IS 'strategy that decided';
COMMENT ON COLUMN @extschema@.signal_outcomes.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_outcomes.signal_type IS 'LONG or SHORT';
COMMENT ON COLUMN @extschema@.signal_outcomes.reason IS 'entered, flipped or renewed';
COMMENT ON COLUMN @extschema@.signal_outcomes.signal_at IS
    'the entry, by the exchange''s clock: the close time of the ticker; nothing at or before it touches a level';
COMMENT ON COLUMN @extschema@.signal_outcomes.expires_at IS
    'end of the signal''s time; what comes later does not count';
COMMENT ON COLUMN @extschema@.signal_outcomes.entry_price IS 'price of the entry, quote asset';
COMMENT ON COLUMN @extschema@.signal_outcomes.stop_loss IS 'the stop, quote asset';
COMMENT ON COLUMN @extschema@.signal_outcomes.take_profit IS 'targets, nearest first, quote asset';
COMMENT ON COLUMN @extschema@.signal_outcomes.stop_loss_percent IS
    'distance of the stop from the entry, percent, as the rule had it: what a touched stop costs before fees';
COMMENT ON COLUMN @extschema@.signal_outcomes.take_profit_percents IS
    'distances of the targets, percent, as the rule had them: what a touched target returns before fees';
COMMENT ON COLUMN @extschema@.signal_outcomes.confidence IS 'strength of the move, 0 to 100; not a chance of profit';
COMMENT ON COLUMN @extschema@.signal_outcomes.quality_score IS 'how tradable the pair was, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_outcomes.price_change_percent IS '24h change at the signal, percent';
COMMENT ON COLUMN @extschema@.signal_outcomes.range_percent IS
    '24h range at the signal: (high - low) / open, percent';
COMMENT ON COLUMN @extschema@.signal_outcomes.forecast_target IS
    'chance from 0 to 1 that target 1 is touched first, as it was forecast before the outcome; null without a '
    'forecast';
COMMENT ON COLUMN @extschema@.signal_outcomes.forecast_stop IS 'the same of the stop';
COMMENT ON COLUMN @extschema@.signal_outcomes.state IS
    'open: to be settled; settled: by what this row says; void: cannot be settled, void_why says why';
COMMENT ON COLUMN @extschema@.signal_outcomes.void_why IS 'why it cannot be settled; null unless void';
COMMENT ON COLUMN @extschema@.signal_outcomes.best_target IS 'how many targets were touched before the stop';
COMMENT ON COLUMN @extschema@.signal_outcomes.first_touch IS 'what was touched first: target, stop or none';
COMMENT ON COLUMN @extschema@.signal_outcomes.ended IS
    'what ended the signal: target (the last one), stop, or expired; null while open and neither was seen';
COMMENT ON COLUMN @extschema@.signal_outcomes.target_at IS
    'when each target was touched, nearest first: the end of the candle, or of the sample while open';
COMMENT ON COLUMN @extschema@.signal_outcomes.stop_at IS 'when the stop was touched, likewise';
COMMENT ON COLUMN @extschema@.signal_outcomes.ended_at IS 'when the signal ended, likewise';
COMMENT ON COLUMN @extschema@.signal_outcomes.returns_percent IS
    'returns in percent of the entry, fees taken off, of who leaves wholly at target 1, 2 and so on, else at the stop '
    'or at the expiry';
COMMENT ON COLUMN @extschema@.signal_outcomes.ladder_percent IS 'mean of returns_percent: who leaves in equal parts';
COMMENT ON COLUMN @extschema@.signal_outcomes.hold_percent IS
    'return in percent, fees taken off, of who keeps it to the expiry without a stop';
COMMENT ON COLUMN @extschema@.signal_outcomes.mirror_percent IS
    'return at target 1 of the opposite signal at the same moment with mirrored distances; null where it is not known';
COMMENT ON COLUMN @extschema@.signal_outcomes.mirror_returns_percent IS 'what returns_percent is, of that signal';
COMMENT ON COLUMN @extschema@.signal_outcomes.mfe_percent IS
    'furthest that the price went in the signal''s favour before its end, percent of the entry, 0 at least';
COMMENT ON COLUMN @extschema@.signal_outcomes.mae_percent IS
    'furthest that it went against the signal, likewise, as a positive number';
COMMENT ON COLUMN @extschema@.signal_outcomes.fee_percent IS
    'fee taken off, percent, once for the entry and once for the exit';
COMMENT ON COLUMN @extschema@.signal_outcomes.resolution IS
    'finest candles that settled it: 1s, 1m, 5m and so on; sampled: by the last prices that were asked for, where the '
    'exchange has no candles';
COMMENT ON COLUMN @extschema@.signal_outcomes.ambiguous IS
    'whether one of the finest candles had both the stop and the next target; the stop then counts as first';
COMMENT ON COLUMN @extschema@.signal_outcomes.gap IS 'whether candles were missing between entry and expiry';
COMMENT ON COLUMN @extschema@.signal_outcomes.source IS
    'exchange that the signal was judged on, and that alone settles it; null where that is not known';
COMMENT ON COLUMN @extschema@.signal_outcomes.high_seen IS
    'highest last price seen since the signal, quote asset; provisional: between two looks there may have been more';
COMMENT ON COLUMN @extschema@.signal_outcomes.low_seen IS 'lowest last price seen, likewise';
COMMENT ON COLUMN @extschema@.signal_outcomes.superseded_at IS
    'when an opposite signal of the strategy and pair came while this one was open; changes nothing in the outcome';
COMMENT ON COLUMN @extschema@.signal_outcomes.withheld_by IS
    'protection that withheld the signal from all subscribers; null for one that was sent';
COMMENT ON COLUMN @extschema@.signal_outcomes.settled_at IS
    'when it was settled or found void, by the server''s clock';
COMMENT ON COLUMN @extschema@.signal_outcomes.opened_position IS
    'place in the chain of the row as it was opened: 1, 2 and so on, without gaps, shared with settled_position';
COMMENT ON COLUMN @extschema@.signal_outcomes.opened_at IS
    'when the row was opened, by the server''s clock; much later than signal_at where an update opened it';
COMMENT ON COLUMN @extschema@.signal_outcomes.nonce IS
    'random, and part of the canonical row as opened: without it opened_digest does not tell whether a guess of the '
    'prices is right';
COMMENT ON COLUMN @extschema@.signal_outcomes.opened_digest IS
    'sha256(digest of the place before || canonical row as opened), see signal_outcome_opened()';
COMMENT ON COLUMN @extschema@.signal_outcomes.settled_position IS
    'place in the chain of the row as it was settled or found void; null while open';
COMMENT ON COLUMN @extschema@.signal_outcomes.digest IS
    'sha256(digest of the place before || canonical row as settled), see signal_outcome_settled(); null while open';
-- Two sessions that append at once cannot take the same place, whatever they see.
CREATE UNIQUE INDEX signal_outcomes_last_position_idx
    ON @extschema@.signal_outcomes (greatest(opened_position, settled_position));
COMMENT ON INDEX @extschema@.signal_outcomes_last_position_idx IS 'finds the head of the chain';
CREATE UNIQUE INDEX signal_outcomes_opened_position_idx ON @extschema@.signal_outcomes (opened_position);
COMMENT ON INDEX @extschema@.signal_outcomes_opened_position_idx IS 'no two rows are opened at one place of the chain';
CREATE INDEX signal_outcomes_open_idx ON @extschema@.signal_outcomes (expires_at, symbol) WHERE state = 'open';
COMMENT ON INDEX @extschema@.signal_outcomes_open_idx IS 'the outcomes to be settled, the next one first';
CREATE INDEX signal_outcomes_signal_at_idx ON @extschema@.signal_outcomes (signal_at);
COMMENT ON INDEX @extschema@.signal_outcomes_signal_at_idx IS 'the outcomes of a period';
CREATE INDEX signal_outcomes_void_idx ON @extschema@.signal_outcomes (signal_id) WHERE state = 'void';
COMMENT ON INDEX @extschema@.signal_outcomes_void_idx IS 'the outcomes that cannot be known';
ALTER TABLE @extschema@.signal_outcomes ENABLE ROW LEVEL SECURITY;

SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_outcomes', '');
