-- Part: once, since 0.3.0
-- Whoever becomes entitled while signals are open.
ALTER TABLE @extschema@.signal_tiers ADD COLUMN late_joiners boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN @extschema@.signal_tiers.late_joiners IS
    'whether subscribers who come to the tier (new, upgraded, resumed) receive the signals that are still open, with '
    'the next run and with late in metadata; where the tier has prices, open signals that they have without them get '
    'them. By itself, a signal is for those who were entitled when it was made';

-- Beside user_subscriptions_updated_at_idx, which has those who changed. Many are new at the same
-- time when they are added by one statement, so they are walked by user_id.
CREATE INDEX user_subscriptions_new_idx ON @extschema@.user_subscriptions (updated_at, user_id)
    WHERE updated_at = created_at;
COMMENT ON INDEX @extschema@.user_subscriptions_new_idx IS 'runs look for subscribers who are new, see late_joiners';
CREATE INDEX signals_expires_at_idx ON @extschema@.signals (expires_at);
COMMENT ON INDEX @extschema@.signals_expires_at_idx IS 'the signals that are open';

-- The time of the statement, not of its transaction, which may have begun long before: runs look
-- for who is new by these times. Where a user changed a default, it stays as it is.
DO $$
DECLARE
    column_name name;
BEGIN
    FOR column_name IN
        SELECT a.attname
          FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = '@extschema@.user_subscriptions'::regclass AND a.attname IN ('created_at', 'updated_at')
           AND pg_get_expr(d.adbin, d.adrelid) = 'now()'
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT statement_timestamp()',
                       '@extschema@.user_subscriptions'::regclass, column_name);
    END LOOP;
END
$$;

-- Who holds a stream of the live service: they are served first. Lost in a crash, which costs
-- nothing but that: the service writes it again.
CREATE UNLOGGED TABLE @extschema@.signal_watchers (
    user_id uuid        NOT NULL,
    slot    name        NOT NULL,
    since   timestamptz NOT NULL DEFAULT clock_timestamp(),
    in_view boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (user_id, slot)
) WITH (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE @extschema@.signal_watchers IS
    'who holds a stream of a live service, or did so within the last minute; a fan-out serves them before all others. '
    'Kept by the services. Rows of one that died are ignored while nobody reads its slot, and are cleared within '
    'minutes of its next start';
COMMENT ON COLUMN @extschema@.signal_watchers.user_id IS 'the subscriber';
COMMENT ON COLUMN @extschema@.signal_watchers.slot IS 'replication slot of the service, by which it is known';
COMMENT ON COLUMN @extschema@.signal_watchers.since IS 'when the service wrote this';
COMMENT ON COLUMN @extschema@.signal_watchers.in_view IS
    'somebody looks at the page that reads the stream: other services send them no notifications';

CREATE TABLE @extschema@.signal_prices (
    symbol               text        PRIMARY KEY,
    last_price           numeric     NOT NULL,
    price_change_percent numeric     NOT NULL,
    priced_at            timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE @extschema@.signal_prices IS
    'the latest price of each watched symbol, from the tickers that runs fetch anyway; written only while somebody '
    'holds a stream of a live service, see signal_watchers, and no newer than updated_at otherwise. To publish it run '
    'ALTER PUBLICATION signal_hub ADD TABLE signal_prices';
COMMENT ON COLUMN @extschema@.signal_prices.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_prices.last_price IS 'last trade, quote asset';
COMMENT ON COLUMN @extschema@.signal_prices.price_change_percent IS 'rolling 24h change, percent';
COMMENT ON COLUMN @extschema@.signal_prices.priced_at IS 'end of the ticker''s 24 hours, the exchange''s clock';
COMMENT ON COLUMN @extschema@.signal_prices.updated_at IS
    'when the row was written: at a new price, and once a minute while there is none';
