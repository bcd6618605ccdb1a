-- Tables. Neither IF NOT EXISTS nor OR REPLACE appears in these scripts: an
-- object planted under one of our names before CREATE EXTENSION must make it
-- fail, not be adopted.
--
-- For the same reason nothing but pg_catalog is in the path: an operator that
-- somebody planted in the extension's schema cannot stand in for PostgreSQL's
-- own. Our objects are named with their schema throughout.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Glossary
--   ticker      an exchange's rolling 24-hour statistics of one symbol
--   signal      one decision, LONG or SHORT, with entry, targets and stop
--   episode     the time a symbol spends on one side; it produces one signal
--   run         one cycle: fetch, judge, record, deliver
--   delivery    one row of user_signals: a signal in a subscriber's hands
--   shipped     a row that came with the extension

CREATE TABLE @extschema@.signal_tiers (
    tier         text    PRIMARY KEY CHECK (tier <> ''),
    enabled      boolean NOT NULL DEFAULT false,
    daily_quota  integer CHECK (daily_quota >= 0),
    full_details boolean NOT NULL DEFAULT false,
    priority     integer NOT NULL DEFAULT 0,
    shipped      boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE @extschema@.signal_tiers IS 'subscription tiers: who receives signals, how many a day, and with which details';
COMMENT ON COLUMN @extschema@.signal_tiers.tier IS 'name of the tier';
COMMENT ON COLUMN @extschema@.signal_tiers.enabled IS 'whether active subscribers of the tier receive signals';
COMMENT ON COLUMN @extschema@.signal_tiers.daily_quota IS 'most signals a subscriber receives in one UTC day; 0 is none, null is unlimited';
COMMENT ON COLUMN @extschema@.signal_tiers.full_details IS 'false withholds entry price, targets and stop: they are null in user_signals';
COMMENT ON COLUMN @extschema@.signal_tiers.priority IS 'tiers are served from the highest priority down';
COMMENT ON COLUMN @extschema@.signal_tiers.shipped IS 'true on rows that came with the extension, so that a restored dump replaces them; leave it alone';

CREATE TABLE @extschema@.user_subscriptions (
    user_id            uuid        PRIMARY KEY,
    tier               text        NOT NULL REFERENCES @extschema@.signal_tiers (tier) ON UPDATE CASCADE,
    status             text        NOT NULL DEFAULT 'active'
                                   CHECK (status IN ('active', 'trialing', 'past_due', 'canceled', 'paused')),
    current_period_end timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @extschema@.user_subscriptions IS 'one row per subscriber; status active, a period that has not ended and an enabled tier entitle to signals';
COMMENT ON COLUMN @extschema@.user_subscriptions.user_id IS 'the subscriber, the same as sub in the claims of their JWT';
COMMENT ON COLUMN @extschema@.user_subscriptions.tier IS 'tier of the subscription, see signal_tiers';
COMMENT ON COLUMN @extschema@.user_subscriptions.status IS 'active, trialing, past_due, canceled or paused; only active receives';
COMMENT ON COLUMN @extschema@.user_subscriptions.current_period_end IS 'end of the paid period; null never ends';
COMMENT ON COLUMN @extschema@.user_subscriptions.created_at IS 'when the subscription began';
COMMENT ON COLUMN @extschema@.user_subscriptions.updated_at IS 'when the row last changed; set by a trigger';
CREATE INDEX user_subscriptions_tier_user_id_idx ON @extschema@.user_subscriptions (tier, user_id)
    INCLUDE (current_period_end, created_at, updated_at) WHERE status = 'active';
COMMENT ON INDEX @extschema@.user_subscriptions_tier_user_id_idx IS 'the fan-out walks one tier in the order of user_id, and finds all that it needs in here';
CREATE INDEX user_subscriptions_updated_at_idx ON @extschema@.user_subscriptions (updated_at) WHERE updated_at <> created_at;
COMMENT ON INDEX @extschema@.user_subscriptions_updated_at_idx IS 'the second round of a fan-out looks at subscribers who changed meanwhile';

CREATE TABLE @extschema@.signal_symbols (
    symbol       text    PRIMARY KEY
                         CHECK (symbol = upper(symbol) AND symbol !~ '[][:space:]"\\,[]' AND length(symbol) BETWEEN 1 AND 40),
    enabled      boolean NOT NULL DEFAULT true,
    base_asset   text,
    quote_asset  text,
    tick_size    numeric CHECK (tick_size > 0),
    status       text    CHECK (status IN ('TRADING', 'HALTED', 'STALE', 'INVALID', 'UNKNOWN')),
    status_why   text,
    last_seen_at timestamptz,
    checked_at   timestamptz,
    shipped      boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE @extschema@.signal_symbols IS 'watchlist: the symbols each run asks the exchange for';
COMMENT ON COLUMN @extschema@.signal_symbols.symbol IS 'the exchange''s name of the pair, upper case';
COMMENT ON COLUMN @extschema@.signal_symbols.enabled IS 'false takes the symbol off the watch; a shipped row that is deleted instead comes back with a restored dump';
COMMENT ON COLUMN @extschema@.signal_symbols.base_asset IS 'the asset that is bought or sold; for people, not used by the rule';
COMMENT ON COLUMN @extschema@.signal_symbols.quote_asset IS 'the asset prices and quote volume are in; for people, not used by the rule';
COMMENT ON COLUMN @extschema@.signal_symbols.tick_size IS 'smallest price step; null until learned from the prices the exchange reports';
COMMENT ON COLUMN @extschema@.signal_symbols.status IS 'what the last look found: TRADING, HALTED (no bid or ask, or no trade), STALE (old statistics), INVALID (numbers that contradict each other), UNKNOWN (not listed; asked for again after a day); null before the first look';
COMMENT ON COLUMN @extschema@.signal_symbols.status_why IS 'the finding behind a status other than TRADING';
COMMENT ON COLUMN @extschema@.signal_symbols.last_seen_at IS 'when the symbol was last found TRADING, to the hour';
COMMENT ON COLUMN @extschema@.signal_symbols.checked_at IS 'when status was last written';
COMMENT ON COLUMN @extschema@.signal_symbols.shipped IS 'true on rows that came with the extension, so that a restored dump replaces them; leave it alone';

CREATE TABLE @extschema@.signal_rules (
    strategy              text     PRIMARY KEY CHECK (strategy IN ('momentum')),
    enabled               boolean  NOT NULL DEFAULT true,
    enter_change_percent  numeric  NOT NULL DEFAULT 2 CHECK (enter_change_percent > 0),
    exit_change_percent   numeric  NOT NULL DEFAULT 1 CHECK (exit_change_percent >= 0),
    min_quote_volume      numeric  NOT NULL DEFAULT 1000000 CHECK (min_quote_volume > 0),
    confidence_per_percent numeric NOT NULL DEFAULT 10 CHECK (confidence_per_percent > 0),
    max_confidence        numeric  NOT NULL DEFAULT 95 CHECK (max_confidence BETWEEN 0 AND 100),
    min_confidence        numeric  NOT NULL DEFAULT 0 CHECK (min_confidence BETWEEN 0 AND 100),
    min_quality           numeric  NOT NULL DEFAULT 25 CHECK (min_quality BETWEEN 0 AND 100),
    stop_loss_percent     numeric  NOT NULL DEFAULT 1.5 CHECK (stop_loss_percent > 0 AND stop_loss_percent < 100),
    take_profit_percents  numeric[] NOT NULL DEFAULT '{1.5,3,5}'
                          CHECK (cardinality(take_profit_percents) BETWEEN 1 AND 10 AND 0 < ALL (take_profit_percents)),
    lifetime              interval NOT NULL DEFAULT '4 hours' CHECK (lifetime > '0'),
    cooldown              interval NOT NULL DEFAULT '30 minutes' CHECK (cooldown >= '0'),
    max_ticker_age        interval NOT NULL DEFAULT '5 minutes' CHECK (max_ticker_age > '0'),
    max_signals_per_run   integer  NOT NULL DEFAULT 10 CHECK (max_signals_per_run > 0),
    shipped               boolean  NOT NULL DEFAULT false,
    CHECK (exit_change_percent < enter_change_percent)
);
COMMENT ON TABLE @extschema@.signal_rules IS 'parameters of the strategies, one row each; read anew by every run';
COMMENT ON COLUMN @extschema@.signal_rules.strategy IS 'name of the strategy; momentum is the one there is';
COMMENT ON COLUMN @extschema@.signal_rules.enabled IS 'whether runs judge by it';
COMMENT ON COLUMN @extschema@.signal_rules.enter_change_percent IS 'a 24h change strictly above this is LONG, strictly below its negative SHORT; percent';
COMMENT ON COLUMN @extschema@.signal_rules.exit_change_percent IS 'an episode ends when the change falls back inside this; percent';
COMMENT ON COLUMN @extschema@.signal_rules.min_quote_volume IS '24h volume must be above this, in units of the quote asset';
COMMENT ON COLUMN @extschema@.signal_rules.confidence_per_percent IS 'confidence is the absolute change times this, capped; a strength of the move, not a chance of profit';
COMMENT ON COLUMN @extschema@.signal_rules.max_confidence IS 'cap of confidence, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_rules.min_confidence IS 'signals below are not sent, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_rules.min_quality IS 'signals with a quality score below are not sent, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_rules.stop_loss_percent IS 'distance of the stop from the entry; percent of the entry price';
COMMENT ON COLUMN @extschema@.signal_rules.take_profit_percents IS 'distances of the targets from the entry, in any order; percent of the entry price';
COMMENT ON COLUMN @extschema@.signal_rules.lifetime IS 'how long a signal is good for; it may be renewed after, while the condition holds';
COMMENT ON COLUMN @extschema@.signal_rules.cooldown IS 'least time between two signals of a symbol, unless it flips side';
COMMENT ON COLUMN @extschema@.signal_rules.max_ticker_age IS 'statistics older than this are not judged';
COMMENT ON COLUMN @extschema@.signal_rules.max_signals_per_run IS 'the best so many by quality are sent, the others wait for a later run';
COMMENT ON COLUMN @extschema@.signal_rules.shipped IS 'true on rows that came with the extension, so that a restored dump replaces them; leave it alone';

CREATE TABLE @extschema@.signal_episodes (
    strategy       text NOT NULL,
    symbol         text NOT NULL,
    side           text CHECK (side IN ('LONG', 'SHORT')),
    since          timestamptz,
    last_signal_at timestamptz,
    PRIMARY KEY (strategy, symbol)
);
COMMENT ON TABLE @extschema@.signal_episodes IS 'the side each symbol is in; the memory that keeps a signal from repeating';
COMMENT ON COLUMN @extschema@.signal_episodes.strategy IS 'strategy the episode belongs to';
COMMENT ON COLUMN @extschema@.signal_episodes.symbol IS 'symbol the episode belongs to';
COMMENT ON COLUMN @extschema@.signal_episodes.side IS 'LONG or SHORT; null when armed, ready for the next signal';
COMMENT ON COLUMN @extschema@.signal_episodes.since IS 'when the side was entered';
COMMENT ON COLUMN @extschema@.signal_episodes.last_signal_at IS 'when the last signal was generated';

CREATE TABLE @extschema@.signal_runs (
    run_id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trigger           text        NOT NULL CHECK (trigger IN ('worker', 'manual')),
    status            text        NOT NULL CHECK (status IN ('ok', 'failed', 'skipped')),
    started_at        timestamptz NOT NULL,
    finished_at       timestamptz,
    symbols_evaluated integer     NOT NULL DEFAULT 0,
    signals_generated integer     NOT NULL DEFAULT 0,
    deliveries        bigint      NOT NULL DEFAULT 0,
    delivery_failures bigint      NOT NULL DEFAULT 0,
    fetch_ms          double precision,
    judge_ms          double precision,
    record_ms         double precision,
    deliver_ms        double precision,
    message           text,
    error             text,
    sqlstate          text,
    retry_at          timestamptz,
    exchange_url      text
);
COMMENT ON TABLE @extschema@.signal_runs IS 'history of runs, kept for signal_hub.run_retention';
COMMENT ON COLUMN @extschema@.signal_runs.run_id IS 'number of the run; not gapless';
COMMENT ON COLUMN @extschema@.signal_runs.trigger IS 'worker or manual (generate_signals_now); one that failed is entered by the worker, soon after';
COMMENT ON COLUMN @extschema@.signal_runs.status IS 'ok, failed (see error) or skipped (see message)';
COMMENT ON COLUMN @extschema@.signal_runs.started_at IS 'when the run began';
COMMENT ON COLUMN @extschema@.signal_runs.finished_at IS 'when the last row was delivered; null while delivery goes on or waits to resume';
COMMENT ON COLUMN @extschema@.signal_runs.symbols_evaluated IS 'watched symbols that had a ticker to judge';
COMMENT ON COLUMN @extschema@.signal_runs.signals_generated IS 'signals recorded by the run';
COMMENT ON COLUMN @extschema@.signal_runs.deliveries IS 'rows written to user_signals for the signals of the run';
COMMENT ON COLUMN @extschema@.signal_runs.delivery_failures IS 'subscribers who could not be given their row, see error';
COMMENT ON COLUMN @extschema@.signal_runs.fetch_ms IS 'milliseconds spent waiting for the exchange';
COMMENT ON COLUMN @extschema@.signal_runs.judge_ms IS 'milliseconds spent deciding';
COMMENT ON COLUMN @extschema@.signal_runs.record_ms IS 'milliseconds spent writing the signals';
COMMENT ON COLUMN @extschema@.signal_runs.deliver_ms IS 'milliseconds spent on the fan-out';
COMMENT ON COLUMN @extschema@.signal_runs.message IS 'what came of the run, in words';
COMMENT ON COLUMN @extschema@.signal_runs.error IS 'the error, when one occurred';
COMMENT ON COLUMN @extschema@.signal_runs.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN @extschema@.signal_runs.retry_at IS 'the exchange is left alone until then';
COMMENT ON COLUMN @extschema@.signal_runs.exchange_url IS 'signal_hub.exchange_url as the run used it';
COMMENT ON SEQUENCE @extschema@.signal_runs_run_id_seq IS 'numbers of runs';
CREATE INDEX signal_runs_started_at_idx ON @extschema@.signal_runs (started_at);
COMMENT ON INDEX @extschema@.signal_runs_started_at_idx IS 'runs are purged by age';
CREATE INDEX signal_runs_error_idx ON @extschema@.signal_runs (run_id) WHERE error IS NOT NULL;
COMMENT ON INDEX @extschema@.signal_runs_error_idx IS 'signal_health shows the last error, which may be far back';
CREATE INDEX signal_runs_signals_idx ON @extschema@.signal_runs (run_id) WHERE signals_generated > 0;
COMMENT ON INDEX @extschema@.signal_runs_signals_idx IS 'the live page shows when the last signal was, which may be far back';

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
    bid_price              numeric     NOT NULL,
    ask_price              numeric     NOT NULL,
    weighted_average_price numeric     NOT NULL,
    base_volume            numeric     NOT NULL,
    quote_volume           numeric     NOT NULL,
    trade_count            bigint      NOT NULL,
    open_time              timestamptz NOT NULL,
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
    CHECK (CASE signal_type
               WHEN 'LONG' THEN stop_loss < entry_price AND entry_price < ALL (take_profit)
               ELSE stop_loss > entry_price AND entry_price > ALL (take_profit)
           END)
);
COMMENT ON TABLE @extschema@.signals IS 'ledger: every signal ever generated, with what it was judged on and how far its delivery is';
COMMENT ON COLUMN @extschema@.signals.signal_id IS 'number of the signal; not gapless';
COMMENT ON COLUMN @extschema@.signals.run_id IS 'run that generated it, see signal_runs';
COMMENT ON COLUMN @extschema@.signals.strategy IS 'strategy that decided, see signal_rules';
COMMENT ON COLUMN @extschema@.signals.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signals.signal_type IS 'LONG or SHORT';
COMMENT ON COLUMN @extschema@.signals.reason IS 'entered (a new episode), flipped (from the other side) or renewed (the condition outlived the last signal)';
COMMENT ON COLUMN @extschema@.signals.why IS 'the decision in words; names no price';
COMMENT ON COLUMN @extschema@.signals.confidence IS 'strength of the move, 0 to 100; not a chance of profit';
COMMENT ON COLUMN @extschema@.signals.quality_score IS 'how tradable the pair was, 0 to 100: liquidity, spread, place in the day''s range';
COMMENT ON COLUMN @extschema@.signals.entry_price IS 'price to enter at, in the quote asset, on the tick';
COMMENT ON COLUMN @extschema@.signals.take_profit IS 'targets, nearest first, in the quote asset, on the tick';
COMMENT ON COLUMN @extschema@.signals.stop_loss IS 'price to give up at, in the quote asset, on the tick';
COMMENT ON COLUMN @extschema@.signals.expires_at IS 'the signal is not to be acted on after this';
COMMENT ON COLUMN @extschema@.signals.price_change_percent IS 'rolling 24h change the exchange reported, percent';
COMMENT ON COLUMN @extschema@.signals.last_price IS 'last trade, quote asset';
COMMENT ON COLUMN @extschema@.signals.open_price IS 'price 24 hours before, quote asset';
COMMENT ON COLUMN @extschema@.signals.high_price IS 'highest price of the 24 hours, quote asset';
COMMENT ON COLUMN @extschema@.signals.low_price IS 'lowest price of the 24 hours, quote asset';
COMMENT ON COLUMN @extschema@.signals.bid_price IS 'best bid, quote asset';
COMMENT ON COLUMN @extschema@.signals.ask_price IS 'best ask, quote asset';
COMMENT ON COLUMN @extschema@.signals.weighted_average_price IS 'volume-weighted average price of the 24 hours, quote asset';
COMMENT ON COLUMN @extschema@.signals.base_volume IS '24h volume in the base asset';
COMMENT ON COLUMN @extschema@.signals.quote_volume IS '24h volume in the quote asset';
COMMENT ON COLUMN @extschema@.signals.trade_count IS 'trades in the 24 hours';
COMMENT ON COLUMN @extschema@.signals.open_time IS 'begin of the 24 hours, the exchange''s clock';
COMMENT ON COLUMN @extschema@.signals.close_time IS 'end of the 24 hours, the exchange''s clock';
COMMENT ON COLUMN @extschema@.signals.gates IS 'every gate with value, threshold and verdict, as preview_signals() shows them';
COMMENT ON COLUMN @extschema@.signals.created_at IS 'when the signal was recorded; the end of a subscriber''s period and the UTC day of quotas are judged by this time';
COMMENT ON COLUMN @extschema@.signals.delivered_tiers IS 'cursor: tiers given out in ranges in this round, see signal_delivery_ranges';
COMMENT ON COLUMN @extschema@.signals.delivery_changed_only IS 'cursor: true in the second round, over subscribers who changed during the first';
COMMENT ON COLUMN @extschema@.signals.delivery_tier IS 'cursor: tier being given out; null between tiers';
COMMENT ON COLUMN @extschema@.signals.delivery_next_user_id IS 'cursor: first subscriber of that tier who is in no range yet';
COMMENT ON COLUMN @extschema@.signals.delivery_started_at IS 'when the fan-out began; null before';
COMMENT ON COLUMN @extschema@.signals.deliveries IS 'rows written to user_signals in ranges that are done; all of them once delivered_at is set';
COMMENT ON COLUMN @extschema@.signals.delivery_failures IS 'subscribers whose row was refused by a constraint or trigger';
COMMENT ON COLUMN @extschema@.signals.delivered_at IS 'when the fan-out was complete; null while it is under way';
COMMENT ON SEQUENCE @extschema@.signals_signal_id_seq IS 'numbers of signals';
CREATE INDEX signals_created_at_idx ON @extschema@.signals (created_at);
COMMENT ON INDEX @extschema@.signals_created_at_idx IS 'the signals of a UTC day, of the last 24 hours, and those to purge';
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
COMMENT ON TABLE @extschema@.signal_delivery_ranges IS 'cursor of fan-outs under way: stretches of subscribers that a signal is yet to reach; empty when all is delivered';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.range_id IS 'number of the range; not gapless';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.signal_id IS 'the signal, see signals';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.tier IS 'tier of the subscribers';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.changed_only IS 'true in the second round, over subscribers who changed during the first';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.next_user_id IS 'first subscriber not served yet; commits together with the rows';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.last_user_id IS 'last subscriber of the range';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.deliveries IS 'rows written to user_signals so far';
COMMENT ON SEQUENCE @extschema@.signal_delivery_ranges_range_id_seq IS 'numbers of ranges';

-- No foreign keys: a check per row would cost the fan-out more than the row.
-- Rows are only ever written by the fan-out, whose statement joins the parents.
CREATE TABLE @extschema@.user_signals (
    user_id       uuid        NOT NULL,
    signal_id     bigint      NOT NULL,
    tier          text        NOT NULL,
    symbol        text        NOT NULL,
    signal_type   text        NOT NULL CHECK (signal_type IN ('LONG', 'SHORT')),
    confidence    numeric     NOT NULL,
    quality_score numeric     NOT NULL,
    entry_price   numeric,
    take_profit   numeric[],
    stop_loss     numeric,
    expires_at    timestamptz NOT NULL,
    full_details  boolean     NOT NULL,
    metadata      jsonb       NOT NULL,
    viewed        boolean     NOT NULL DEFAULT false,
    viewed_at     timestamptz,
    clicked       boolean     NOT NULL DEFAULT false,
    clicked_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, signal_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
COMMENT ON TABLE @extschema@.user_signals IS 'one row per signal and subscriber; the table realtime clients follow';
COMMENT ON COLUMN @extschema@.user_signals.user_id IS 'the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.signal_id IS 'the signal, see signals';
COMMENT ON COLUMN @extschema@.user_signals.tier IS 'tier of the subscriber at delivery';
COMMENT ON COLUMN @extschema@.user_signals.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.user_signals.signal_type IS 'LONG or SHORT';
COMMENT ON COLUMN @extschema@.user_signals.confidence IS 'strength of the move, 0 to 100; not a chance of profit';
COMMENT ON COLUMN @extschema@.user_signals.quality_score IS 'how tradable the pair was, 0 to 100';
COMMENT ON COLUMN @extschema@.user_signals.entry_price IS 'price to enter at, quote asset; null where the tier withholds details';
COMMENT ON COLUMN @extschema@.user_signals.take_profit IS 'targets, nearest first, quote asset; null where the tier withholds details';
COMMENT ON COLUMN @extschema@.user_signals.stop_loss IS 'price to give up at, quote asset; null where the tier withholds details';
COMMENT ON COLUMN @extschema@.user_signals.expires_at IS 'the signal is not to be acted on after this';
COMMENT ON COLUMN @extschema@.user_signals.full_details IS 'whether prices are included';
COMMENT ON COLUMN @extschema@.user_signals.metadata IS 'object: generatedBy (signal_hub), timestamp (ISO 8601), strategy, reason, why, changePercent';
COMMENT ON COLUMN @extschema@.user_signals.viewed IS 'set by the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.viewed_at IS 'when viewed was set; kept by a trigger';
COMMENT ON COLUMN @extschema@.user_signals.clicked IS 'set by the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.clicked_at IS 'when clicked was set; kept by a trigger';
COMMENT ON COLUMN @extschema@.user_signals.created_at IS 'when the row was written';
CREATE TABLE @extschema@.signal_pause (
    only_row  boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    reason    text,
    paused_at timestamptz NOT NULL DEFAULT now(),
    paused_by text        NOT NULL DEFAULT session_user
);
COMMENT ON TABLE @extschema@.signal_pause IS 'holds one row while signals are paused, none otherwise; see pause_signals()';
COMMENT ON COLUMN @extschema@.signal_pause.only_row IS 'always true: there is at most one row';
COMMENT ON COLUMN @extschema@.signal_pause.reason IS 'as given to pause_signals()';
COMMENT ON COLUMN @extschema@.signal_pause.paused_at IS 'when';
COMMENT ON COLUMN @extschema@.signal_pause.paused_by IS 'role that paused';

-- What the extension ships. MAX is on; the other tiers wait for one UPDATE.
INSERT INTO @extschema@.signal_tiers (tier, enabled, daily_quota, full_details, priority, shipped) VALUES
    ('MAX',  true,  30, true,  30, true),
    ('PRO',  false, 15, true,  20, true),
    ('FREE', false,  2, false, 10, true);

INSERT INTO @extschema@.signal_symbols (symbol, base_asset, quote_asset, shipped) VALUES
    ('BTCUSDT',  'BTC',  'USDT', true),
    ('ETHUSDT',  'ETH',  'USDT', true),
    ('BNBUSDT',  'BNB',  'USDT', true),
    ('SOLUSDT',  'SOL',  'USDT', true),
    ('XRPUSDT',  'XRP',  'USDT', true),
    ('ADAUSDT',  'ADA',  'USDT', true),
    ('DOGEUSDT', 'DOGE', 'USDT', true),
    ('AVAXUSDT', 'AVAX', 'USDT', true),
    ('LINKUSDT', 'LINK', 'USDT', true),
    ('LTCUSDT',  'LTC',  'USDT', true);

INSERT INTO @extschema@.signal_rules (strategy, shipped) VALUES ('momentum', true);

-- pg_dump carries what users own. The history of runs stays with its server.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_tiers', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.user_subscriptions', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_symbols', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_rules', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_episodes', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signals', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signals_signal_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_delivery_ranges', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_delivery_ranges_range_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_runs_run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.user_signals', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_pause', '');
