-- Part: once, since 0.3.0
-- Not in dumps: what is missing is fetched again.
CREATE TABLE @extschema@.signal_daily_candles (
    symbol       text        NOT NULL,
    day          date        NOT NULL,
    open         numeric     NOT NULL,
    high         numeric     NOT NULL,
    low          numeric     NOT NULL,
    close        numeric     NOT NULL,
    base_volume  numeric     NOT NULL,
    quote_volume numeric     NOT NULL,
    fetched_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, day)
);
COMMENT ON TABLE @extschema@.signal_daily_candles IS
    'finished daily candles of the watched symbols, for strategies that need some; fetched once a day while such a '
    'strategy is enabled';
COMMENT ON COLUMN @extschema@.signal_daily_candles.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_daily_candles.day IS 'the UTC day';
COMMENT ON COLUMN @extschema@.signal_daily_candles.open IS 'first price, quote asset';
COMMENT ON COLUMN @extschema@.signal_daily_candles.high IS 'highest price, quote asset';
COMMENT ON COLUMN @extschema@.signal_daily_candles.low IS 'lowest price, quote asset';
COMMENT ON COLUMN @extschema@.signal_daily_candles.close IS 'last price, quote asset';
COMMENT ON COLUMN @extschema@.signal_daily_candles.base_volume IS 'volume in the base asset';
COMMENT ON COLUMN @extschema@.signal_daily_candles.quote_volume IS 'volume in the quote asset';
COMMENT ON COLUMN @extschema@.signal_daily_candles.fetched_at IS 'when the exchange was asked for it';
