-- Part: once, since 0.3.0
-- Not in dumps: it is of use for days.
CREATE TABLE @extschema@.signal_price_path (
    symbol     text        NOT NULL,
    began_at   timestamptz NOT NULL,
    open       numeric     NOT NULL,
    high       numeric     NOT NULL,
    low        numeric     NOT NULL,
    close      numeric     NOT NULL,
    PRIMARY KEY (symbol, began_at)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE @extschema@.signal_price_path IS
    'the way of the price while signals of the symbol are open, five minutes a row: of the last prices that '
    'runs saw, so that a price between two runs is not in it. Rows older than 14 days are removed when others are '
    'written. For charts; outcomes are settled by candles of the exchange';
COMMENT ON COLUMN @extschema@.signal_price_path.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_price_path.began_at IS 'begin of the five minutes, the exchange''s clock';
COMMENT ON COLUMN @extschema@.signal_price_path.open IS 'first price seen, quote asset';
COMMENT ON COLUMN @extschema@.signal_price_path.high IS 'highest price seen, quote asset';
COMMENT ON COLUMN @extschema@.signal_price_path.low IS 'lowest price seen, quote asset';
COMMENT ON COLUMN @extschema@.signal_price_path.close IS 'last price seen, quote asset';
CREATE INDEX signal_price_path_began_at_idx ON @extschema@.signal_price_path (began_at);
COMMENT ON INDEX @extschema@.signal_price_path_began_at_idx IS 'rows are removed by age';
