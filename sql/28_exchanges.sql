-- Part: once, since 0.3.0
-- Not in dumps: lists are fetched again, and how an exchange stands is of this server.
CREATE TABLE @extschema@.signal_exchanges (
    exchange      text        PRIMARY KEY,
    exchange_url  text        NOT NULL,
    failures      integer     NOT NULL DEFAULT 0,
    relapses      integer     NOT NULL DEFAULT 0,
    error         text,
    failed_at     timestamptz,
    retry_at      timestamptz,
    asked_to_wait boolean     NOT NULL DEFAULT false,
    good_since    timestamptz,
    listed_at     timestamptz
);
COMMENT ON TABLE @extschema@.signal_exchanges IS
    'how each exchange of signal_hub.exchanges stands; one that was never in trouble has no row until its list of '
    'instruments was read';
COMMENT ON COLUMN @extschema@.signal_exchanges.exchange IS 'its name in signal_hub.exchanges';
COMMENT ON COLUMN @extschema@.signal_exchanges.exchange_url IS
    'base URL that this row is about; at another one the exchange begins anew';
COMMENT ON COLUMN @extschema@.signal_exchanges.failures IS
    'requests for tickers in a row that failed, up to now or to good_since; 0 when it is in good standing';
COMMENT ON COLUMN @extschema@.signal_exchanges.relapses IS
    'times it failed soon after it had been taken up again: each doubles the time that it has to be good';
COMMENT ON COLUMN @extschema@.signal_exchanges.error IS 'the last failure; null when it is in good standing';
COMMENT ON COLUMN @extschema@.signal_exchanges.failed_at IS 'when it failed last; null when it is in good standing';
COMMENT ON COLUMN @extschema@.signal_exchanges.retry_at IS
    'before this it is not asked, neither as the preferred one nor for a probe';
COMMENT ON COLUMN @extschema@.signal_exchanges.asked_to_wait IS
    'whether that is because the exchange said stop; then generate_signals_now() does not ask it either';
COMMENT ON COLUMN @extschema@.signal_exchanges.good_since IS
    'since when its answers are good again; after a while of that it is taken up again; null while they are not';
COMMENT ON COLUMN @extschema@.signal_exchanges.listed_at IS
    'when its list of instruments was read last, see signal_instruments; null before';

CREATE TABLE @extschema@.signal_instruments (
    exchange        text        NOT NULL,
    symbol          text        NOT NULL,
    exchange_symbol text        NOT NULL,
    base_asset      text        NOT NULL,
    quote_asset     text        NOT NULL,
    tick_size       numeric     CHECK (tick_size > 0),
    status          text        NOT NULL,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (exchange, symbol)
);
COMMENT ON TABLE @extschema@.signal_instruments IS
    'what each exchange says of its pairs; read once a day, when a pair is listed, and when one is refused';
COMMENT ON COLUMN @extschema@.signal_instruments.exchange IS 'the exchange, as signal_hub.exchanges names it';
COMMENT ON COLUMN @extschema@.signal_instruments.symbol IS
    'the pair as signal_symbols has it: base and quote asset without a separator';
COMMENT ON COLUMN @extschema@.signal_instruments.exchange_symbol IS 'what the exchange calls it, such as BTC-USDT';
COMMENT ON COLUMN @extschema@.signal_instruments.base_asset IS 'the asset that is bought or sold';
COMMENT ON COLUMN @extschema@.signal_instruments.quote_asset IS 'the asset that prices and quote volume are in';
COMMENT ON COLUMN @extschema@.signal_instruments.tick_size IS
    'smallest step of its price today, by which the prices of a signal are rounded; null where the exchange does not '
    'say';
COMMENT ON COLUMN @extschema@.signal_instruments.status IS
    'what the exchange says of it: TRADING, HALTED (listed, and not traded for now) or DELISTED';
COMMENT ON COLUMN @extschema@.signal_instruments.first_seen_at IS 'when a list had it first';
COMMENT ON COLUMN @extschema@.signal_instruments.last_seen_at IS
    'when a list had it last; 90 days later the row is removed';
