-- Part: once
CREATE TABLE @extschema@.signals (
    signal_id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id                 bigint      NOT NULL,
    strategy               text        NOT NULL,
    symbol                 text        NOT NULL,
    signal_type            text        NOT NULL CHECK (signal_type IN ('LONG', 'SHORT')),
    reason                 text        NOT NULL,
    why                    text        NOT NULL,
    confidence             numeric     NOT NULL CHECK (confidence BETWEEN 0 AND 100),
    quality_score          numeric     NOT NULL CHECK (quality_score BETWEEN 0 AND 100),
    entry_price            numeric     NOT NULL CHECK (entry_price > 0),
    take_profit            numeric[]   NOT NULL,
    stop_loss              numeric     NOT NULL CHECK (stop_loss > 0),
    expires_at             timestamptz NOT NULL,
    price_change_percent   numeric     NOT NULL,
    last_price             numeric     NOT NULL,
    open_price             numeric     NOT NULL,
    high_price             numeric     NOT NULL,
    low_price              numeric     NOT NULL,
    bid_price              numeric,
    ask_price              numeric,
    weighted_average_price numeric,
    base_volume            numeric     NOT NULL,
    quote_volume           numeric     NOT NULL,
    trade_count            bigint,
    open_time              timestamptz,
    close_time             timestamptz NOT NULL,
    gates                  jsonb       NOT NULL,
    created_at             timestamptz NOT NULL,
    delivered_tiers        text[]      NOT NULL DEFAULT '{}',
    delivery_changed_only  boolean     NOT NULL DEFAULT false,
    delivery_tier          text,
    delivery_next_user_id  uuid,
    delivery_started_at    timestamptz,
    deliveries             bigint      NOT NULL DEFAULT 0,
    delivery_failures      bigint      NOT NULL DEFAULT 0,
    delivered_at           timestamptz,
    withheld_by            text,
    forecast               jsonb,
    exchange               text,
    close_time_source      text        CONSTRAINT "close_time_source must be exchange, date or receipt"
                                       CHECK (close_time_source IN ('exchange', 'date', 'receipt')),
    CHECK (CASE signal_type
               WHEN 'LONG' THEN stop_loss < entry_price AND entry_price < ALL (take_profit)
               ELSE stop_loss > entry_price AND entry_price > ALL (take_profit)
           END)
);
COMMENT ON TABLE @extschema@.signals IS
    'ledger: every signal ever generated, with what it was judged on and how far its delivery is';
COMMENT ON COLUMN @extschema@.signals.signal_id IS 'number of the signal; not gapless';
COMMENT ON COLUMN @extschema@.signals.run_id IS 'run that generated it, see signal_runs';
COMMENT ON COLUMN @extschema@.signals.strategy IS 'strategy that decided, see signal_rules';
COMMENT ON COLUMN @extschema@.signals.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signals.signal_type IS 'LONG or SHORT';
COMMENT ON COLUMN @extschema@.signals.reason IS
    'entered (a new episode), flipped (from the other side) or renewed (the condition outlived the last signal)';
COMMENT ON COLUMN @extschema@.signals.why IS 'the decision in words; names no price';
COMMENT ON COLUMN @extschema@.signals.confidence IS 'strength of the move, 0 to 100; not a chance of profit';
COMMENT ON COLUMN @extschema@.signals.quality_score IS
    'how tradable the pair was, 0 to 100: liquidity, spread, place in the day''s range';
COMMENT ON COLUMN @extschema@.signals.entry_price IS 'price to enter at, in the quote asset, on the tick';
COMMENT ON COLUMN @extschema@.signals.take_profit IS 'targets, nearest first, in the quote asset, on the tick';
COMMENT ON COLUMN @extschema@.signals.stop_loss IS 'price to give up at, in the quote asset, on the tick';
COMMENT ON COLUMN @extschema@.signals.expires_at IS 'the signal is not to be acted on after this';
COMMENT ON COLUMN @extschema@.signals.price_change_percent IS 'rolling 24h change the exchange reported, percent';
COMMENT ON COLUMN @extschema@.signals.last_price IS 'last trade, quote asset';
COMMENT ON COLUMN @extschema@.signals.open_price IS 'price 24 hours before, quote asset';
COMMENT ON COLUMN @extschema@.signals.high_price IS 'highest price of the 24 hours, quote asset';
COMMENT ON COLUMN @extschema@.signals.low_price IS 'lowest price of the 24 hours, quote asset';
COMMENT ON COLUMN @extschema@.signals.bid_price IS
    'best bid, quote asset; null where the exchange gives none';
COMMENT ON COLUMN @extschema@.signals.ask_price IS
    'best ask, quote asset; null where the exchange gives none';
COMMENT ON COLUMN @extschema@.signals.weighted_average_price IS
    'volume-weighted average price of the 24 hours, quote asset; null where the exchange gives none';
COMMENT ON COLUMN @extschema@.signals.base_volume IS '24h volume in the base asset';
COMMENT ON COLUMN @extschema@.signals.quote_volume IS '24h volume in the quote asset';
COMMENT ON COLUMN @extschema@.signals.trade_count IS
    'trades in the 24 hours; null where the exchange does not count them';
COMMENT ON COLUMN @extschema@.signals.open_time IS
    'begin of the 24 hours, the exchange''s clock; null where the exchange does not say';
COMMENT ON COLUMN @extschema@.signals.close_time IS
    'end of the 24 hours, by the clock that close_time_source names';
COMMENT ON COLUMN @extschema@.signals.gates IS
    'every gate with value, threshold and verdict, as preview_signals() shows them';
COMMENT ON COLUMN @extschema@.signals.created_at IS
    'when the signal was recorded; the end of a subscriber''s period and the UTC day of quotas are judged by this '
    'time';
COMMENT ON COLUMN @extschema@.signals.delivered_tiers IS
    'cursor: tiers given out in ranges in this round, see signal_delivery_ranges';
COMMENT ON COLUMN @extschema@.signals.delivery_changed_only IS
    'cursor: true in the second round, over subscribers who changed during the first';
COMMENT ON COLUMN @extschema@.signals.delivery_tier IS 'cursor: tier being given out; null between tiers';
COMMENT ON COLUMN @extschema@.signals.delivery_next_user_id IS
    'cursor: first subscriber of that tier who is not in a range';
COMMENT ON COLUMN @extschema@.signals.delivery_started_at IS 'when the fan-out began; null before';
COMMENT ON COLUMN @extschema@.signals.deliveries IS
    'rows written to user_signals in ranges that are done; all of them once delivered_at is set';
COMMENT ON COLUMN @extschema@.signals.delivery_failures IS
    'subscribers whose row was refused by a constraint or trigger';
COMMENT ON COLUMN @extschema@.signals.delivered_at IS
    'when the fan-out was complete; null while it is under way; of a signal that is withheld, when it was recorded';
COMMENT ON COLUMN @extschema@.signals.withheld_by IS
    'the protection that withheld the signal from all subscribers, see signal_protections; null for one that is sent';
COMMENT ON COLUMN @extschema@.signals.forecast IS
    'what subscribers are shown in metadata: the probabilities that the first target, the stop, or neither is touched '
    'first within a time; null unless forecasts are good enough to be shown, see signal_forecasts';
COMMENT ON COLUMN @extschema@.signals.exchange IS
    'exchange that the ticker came from, as signal_hub.exchanges names it; null on signals of releases before 0.3.0';
COMMENT ON COLUMN @extschema@.signals.close_time_source IS
    'where close_time is from: exchange (it says so of the pair or of the reply), date (the header Date of its reply, '
    'which tells whole seconds: the end of that second) '
    'or receipt (this server''s clock when the reply had arrived); null on signals of releases before 0.3.0';
COMMENT ON SEQUENCE @extschema@.signals_signal_id_seq IS 'numbers of signals';
CREATE INDEX signals_created_at_idx ON @extschema@.signals (created_at);
COMMENT ON INDEX @extschema@.signals_created_at_idx IS
    'the signals of a UTC day, of the last 24 hours, and those to purge';
CREATE INDEX signals_undelivered_idx ON @extschema@.signals (signal_id) WHERE delivered_at IS NULL;
COMMENT ON INDEX @extschema@.signals_undelivered_idx IS 'the signals whose fan-out is not complete';

-- A range is given out in one short transaction and worked off in others, each of
-- which moves next_user_id together with the rows it writes.
CREATE TABLE @extschema@.signal_delivery_ranges (
    range_id     bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    signal_id    bigint  NOT NULL,
    tier         text    NOT NULL,
    changed_only boolean NOT NULL,
    next_user_id uuid    NOT NULL,
    last_user_id uuid    NOT NULL,
    deliveries   bigint  NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE @extschema@.signal_delivery_ranges IS
    'cursor of fan-outs under way: the subscribers that a signal has still to reach; empty when all is '
    'delivered';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.range_id IS 'number of the range; not gapless';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.signal_id IS 'the signal, see signals';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.tier IS 'tier of the subscribers';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.changed_only IS
    'true in the second round, over subscribers who changed during the first';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.next_user_id IS
    'first subscriber who is still to be served; commits together with the rows';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.last_user_id IS 'last subscriber of the range';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.deliveries IS 'rows written to user_signals so far';
COMMENT ON SEQUENCE @extschema@.signal_delivery_ranges_range_id_seq IS 'numbers of ranges';
