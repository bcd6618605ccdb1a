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
-- The fan-out walks one tier in the order of user_id.
CREATE INDEX user_subscriptions_tier_user_id_idx ON @extschema@.user_subscriptions (tier, user_id) WHERE status = 'active';
-- The second round of a fan-out looks at subscribers who changed meanwhile.
CREATE INDEX user_subscriptions_updated_at_idx ON @extschema@.user_subscriptions (updated_at) WHERE updated_at <> created_at;

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
COMMENT ON COLUMN @extschema@.signal_rules.take_profit_percents IS 'distances of the targets from the entry, ascending; percent of the entry price';
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
COMMENT ON COLUMN @extschema@.signal_runs.trigger IS 'worker or manual (generate_signals_now)';
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
CREATE INDEX signal_runs_started_at_idx ON @extschema@.signal_runs (started_at);
-- signal_health shows the last error, which may be far back.
CREATE INDEX signal_runs_error_idx ON @extschema@.signal_runs (run_id) WHERE error IS NOT NULL;

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
    delivery_user_id       uuid,
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
COMMENT ON COLUMN @extschema@.signals.created_at IS 'when the signal was recorded; entitlement and the UTC day of quotas are judged at this time';
COMMENT ON COLUMN @extschema@.signals.delivered_tiers IS 'cursor: tiers served in this round';
COMMENT ON COLUMN @extschema@.signals.delivery_changed_only IS 'cursor: true in the second round, over subscribers who changed during the first';
COMMENT ON COLUMN @extschema@.signals.delivery_tier IS 'cursor: tier being served; null between tiers';
COMMENT ON COLUMN @extschema@.signals.delivery_user_id IS 'cursor: last subscriber served in that tier; commits together with the rows';
COMMENT ON COLUMN @extschema@.signals.deliveries IS 'rows written to user_signals so far';
COMMENT ON COLUMN @extschema@.signals.delivery_failures IS 'subscribers whose row was refused by a constraint or trigger';
COMMENT ON COLUMN @extschema@.signals.delivered_at IS 'when the fan-out was complete; null while it is under way';
CREATE INDEX signals_created_at_idx ON @extschema@.signals (created_at);
CREATE INDEX signals_undelivered_idx ON @extschema@.signals (signal_id) WHERE delivered_at IS NULL;

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
);
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
COMMENT ON COLUMN @extschema@.user_signals.viewed_at IS 'set by the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.clicked IS 'set by the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.clicked_at IS 'set by the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.created_at IS 'when the row was written';
-- Rows arrive in the order of time, so a block range index finds the expired
-- ones for the purge at almost no cost to the fan-out.
CREATE INDEX user_signals_created_at_idx ON @extschema@.user_signals USING brin (created_at);

CREATE TABLE @extschema@.user_signal_quotas (
    user_id  uuid    NOT NULL,
    day      date    NOT NULL,
    received integer NOT NULL CHECK (received >= 0),
    PRIMARY KEY (user_id, day)
) WITH (fillfactor = 80);
COMMENT ON TABLE @extschema@.user_signal_quotas IS 'signals received per subscriber and UTC day';
COMMENT ON COLUMN @extschema@.user_signal_quotas.user_id IS 'the subscriber';
COMMENT ON COLUMN @extschema@.user_signal_quotas.day IS 'the UTC day';
COMMENT ON COLUMN @extschema@.user_signal_quotas.received IS 'signals received on that day';
CREATE INDEX user_signal_quotas_day_idx ON @extschema@.user_signal_quotas USING brin (day);

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
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_runs_run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.user_signals', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.user_signal_quotas', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_pause', '');
-- Functions. Those in C are in src/functions.rs under the same names; a test
-- holds these declarations against the types the library was compiled with.

CREATE FUNCTION @extschema@.generate_signals_now() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'generate_signals_now_wrapper';
COMMENT ON FUNCTION @extschema@.generate_signals_now() IS
'runs one cycle now, in the caller''s transaction: fetches the watched symbols in one request, judges, records and delivers.
Returns {run_id, success, signals_generated, deliveries, symbols_evaluated, timestamp, message}; message says why when nothing was generated.
Raises 08xxx when the exchange cannot be reached or refuses, and changes nothing then';

CREATE FUNCTION @extschema@.preview_signals(
    OUT symbol text, OUT signal_type text, OUT gate text, OUT value text,
    OUT threshold text, OUT passed boolean, OUT verdict text
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 110
    AS 'MODULE_PATHNAME', 'preview_signals_wrapper';
COMMENT ON FUNCTION @extschema@.preview_signals() IS
'dry run: fetches the watched symbols and shows every gate of each with its value, threshold and whether it passed.
signal_type is the side the change points to, null for none; verdict says for the symbol as a whole why a signal would be sent or not. Writes nothing';

CREATE FUNCTION @extschema@.signal_worker_status(
    OUT preloaded boolean, OUT library_version text, OUT enabled boolean,
    OUT worker_pid integer, OUT started_at timestamptz, OUT last_heartbeat timestamptz,
    OUT next_run timestamptz, OUT restarts bigint, OUT stage text, OUT retry_at timestamptz,
    OUT trouble text
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
    AS 'MODULE_PATHNAME', 'signal_worker_status_wrapper';
COMMENT ON FUNCTION @extschema@.signal_worker_status() IS
'what shared memory knows of this database''s worker; worker_pid is null when none runs, retry_at says when a dead one is started again, trouble is the last error since the last good run. signal_health is the view for people';

CREATE FUNCTION @extschema@.start_signal_worker() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'start_signal_worker_wrapper';
COMMENT ON FUNCTION @extschema@.start_signal_worker() IS
'asks the launcher to start this database''s worker when the transaction commits, as CREATE EXTENSION does. Returns false, with a warning, when the library is not preloaded';

CREATE FUNCTION @extschema@.pause_signals(reason text DEFAULT NULL) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        INSERT INTO @extschema@.signal_pause AS p (reason) VALUES (pause_signals.reason)
        ON CONFLICT (only_row) DO UPDATE
            SET reason = excluded.reason, paused_at = excluded.paused_at, paused_by = excluded.paused_by
        RETURNING true;
    END;
COMMENT ON FUNCTION @extschema@.pause_signals(text) IS
'stops generating signals in this database until resume_signals(); survives restarts and shows in signal_health. A fan-out under way is finished. Returns true';

CREATE FUNCTION @extschema@.resume_signals() RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH ended AS (DELETE FROM @extschema@.signal_pause RETURNING only_row)
        SELECT EXISTS (SELECT FROM ended);
    END;
COMMENT ON FUNCTION @extschema@.resume_signals() IS
'ends a pause. Returns whether there was one';

CREATE FUNCTION @extschema@.current_subscriber() RETURNS uuid
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'current_subscriber_wrapper';
COMMENT ON FUNCTION @extschema@.current_subscriber() IS
'the user_id in the JWT claims of the session (setting request.jwt.claims, key sub), as PostgREST and Supabase set it; null when absent or malformed';

CREATE FUNCTION @extschema@.signal_hub_set_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_set_updated_at() IS 'keeps updated_at true';

CREATE TRIGGER set_updated_at BEFORE UPDATE ON @extschema@.user_subscriptions
    FOR EACH ROW EXECUTE FUNCTION @extschema@.signal_hub_set_updated_at();

-- A dump holds the shipped rows as their owner changed them; on restore
-- CREATE EXTENSION has already put the pristine ones there.
CREATE FUNCTION @extschema@.signal_hub_replace_shipped_row() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.%I WHERE shipped AND %I = $1', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0])
      USING to_jsonb(NEW) ->> TG_ARGV[0];
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_replace_shipped_row() IS 'lets a restored dump replace the rows that CREATE EXTENSION ships';

CREATE TRIGGER replace_shipped_row BEFORE INSERT ON @extschema@.signal_tiers
    FOR EACH ROW WHEN (NEW.shipped) EXECUTE FUNCTION @extschema@.signal_hub_replace_shipped_row('tier');
CREATE TRIGGER replace_shipped_row BEFORE INSERT ON @extschema@.signal_symbols
    FOR EACH ROW WHEN (NEW.shipped) EXECUTE FUNCTION @extschema@.signal_hub_replace_shipped_row('symbol');
CREATE TRIGGER replace_shipped_row BEFORE INSERT ON @extschema@.signal_rules
    FOR EACH ROW WHEN (NEW.shipped) EXECUTE FUNCTION @extschema@.signal_hub_replace_shipped_row('strategy');
-- Views for people and monitors.

-- The states of signal_health, first match wins:
--   standby           read-only server; the primary generates
--   not_preloaded     the library is not in shared_preload_libraries
--   version_mismatch  the library and the SQL objects are of different releases
--   disabled          signal_hub.enabled is off
--   paused            pause_signals() was called
--   stopped           no worker process; the launcher starts one
--   stalled           the worker process does not beat
--   blocked           runs are skipped: somebody else holds a lock they need
--   failing           the last run failed, or the worker met an error since
--   starting          nothing has run yet
--   running           all is well
CREATE VIEW @extschema@.signal_health AS
WITH facts AS (
    SELECT w.*,
           pg_catalog.pg_is_in_recovery() AS standby,
           clock_timestamp() - w.last_heartbeat AS heartbeat_age,
           (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'signal_hub') AS sql_version,
           l.started_at AS last_run, l.status AS last_status, l.message AS last_message,
           s.last_success, s.last_success_id,
           (SELECT count(*) FROM @extschema@.signal_runs f WHERE f.status = 'failed' AND f.run_id > coalesce(s.last_success_id, 0)) AS consecutive_failures,
           f.error, f.failed_at, k.skipped_in_a_row, k.skipped_since, k.skipped_because,
           (SELECT count(*) FROM @extschema@.signals g WHERE g.created_at > now() - interval '24 hours') AS signals_24h,
           (SELECT coalesce(sum(g.deliveries), 0)::bigint FROM @extschema@.signals g WHERE g.created_at > now() - interval '24 hours') AS deliveries_24h,
           (SELECT count(*) FROM @extschema@.signals g WHERE g.delivered_at IS NULL) AS undelivered_signals,
           p.paused_at, p.paused_by, p.reason AS pause_reason
      FROM @extschema@.signal_worker_status() w
      LEFT JOIN LATERAL (SELECT r.* FROM @extschema@.signal_runs r WHERE r.status <> 'skipped' ORDER BY r.run_id DESC LIMIT 1) l ON true
      LEFT JOIN LATERAL (SELECT r.run_id AS last_success_id, r.started_at AS last_success
                           FROM @extschema@.signal_runs r WHERE r.status = 'ok' ORDER BY r.run_id DESC LIMIT 1) s ON true
      LEFT JOIN LATERAL (SELECT r.error, r.started_at AS failed_at
                           FROM @extschema@.signal_runs r WHERE r.error IS NOT NULL ORDER BY r.run_id DESC LIMIT 1) f ON true
      LEFT JOIN LATERAL (SELECT count(*) AS skipped_in_a_row, min(r.started_at) AS skipped_since, max(r.message) AS skipped_because
                           FROM @extschema@.signal_runs r WHERE r.status = 'skipped' AND r.run_id > coalesce(l.run_id, 0)) k ON true
      LEFT JOIN @extschema@.signal_pause p ON true
), judged AS (
    SELECT CASE
               WHEN standby THEN 'standby'
               WHEN NOT preloaded THEN 'not_preloaded'
               WHEN sql_version <> library_version THEN 'version_mismatch'
               WHEN NOT enabled THEN 'disabled'
               WHEN paused_at IS NOT NULL THEN 'paused'
               WHEN worker_pid IS NULL THEN 'stopped'
               WHEN heartbeat_age > interval '15 seconds' THEN 'stalled'
               WHEN skipped_in_a_row >= 3 THEN 'blocked'
               WHEN last_status = 'failed' OR trouble IS NOT NULL THEN 'failing'
               WHEN last_run IS NULL THEN 'starting'
               ELSE 'running'
           END AS state, facts.*
      FROM facts
)
SELECT state IN ('running', 'starting', 'standby') AS healthy,
       state,
       CASE state
           WHEN 'standby' THEN 'this server is a standby: the primary generates signals, this one starts by itself when promoted'
           WHEN 'not_preloaded' THEN 'no worker can run: add signal_hub to shared_preload_libraries and restart the server; generate_signals_now() works meanwhile'
           WHEN 'version_mismatch' THEN format('the library is %s but the SQL objects are %s: run ALTER EXTENSION signal_hub UPDATE, or install the matching library', library_version, sql_version)
           WHEN 'disabled' THEN 'signal_hub.enabled is off: set it on and reload'
           WHEN 'paused' THEN format('paused by %s since %s%s: call resume_signals() to go on', paused_by, paused_at::timestamptz(0), coalesce(' (' || pause_reason || ')', ''))
           WHEN 'stopped' THEN 'no worker runs' || coalesce(': it died and is started again at ' || retry_at::timestamptz(0), ': the launcher starts one as soon as it can, see the server log if it does not')
           WHEN 'stalled' THEN format('worker %s has not beaten for %s s: look at it in pg_stat_activity', worker_pid, round(extract(epoch FROM heartbeat_age)))
           WHEN 'blocked' THEN format('%s runs in a row were skipped since %s: %s; see pg_locks for who holds the extension', skipped_in_a_row, skipped_since::timestamptz(0), skipped_because)
           WHEN 'failing' THEN CASE WHEN last_status = 'failed' THEN format('%s failed run(s) in a row: ', consecutive_failures) ELSE '' END
                               || coalesce(trouble, error) || coalesce('; next run at ' || next_run::timestamptz(0), '')
           WHEN 'starting' THEN 'the worker is up, its first run has not ended yet'
           ELSE coalesce(last_message, 'all is well')
       END AS message,
       worker_pid,
       started_at,
       date_trunc('second', clock_timestamp() - started_at) AS uptime,
       last_heartbeat,
       heartbeat_age,
       restarts,
       last_run,
       last_success,
       consecutive_failures,
       CASE WHEN state IN ('running', 'starting', 'failing') THEN next_run END AS next_run,
       error AS last_error,
       failed_at AS last_error_at,
       signals_24h,
       deliveries_24h,
       undelivered_signals
  FROM judged;
COMMENT ON VIEW @extschema@.signal_health IS 'one row: is all well, and if not, what is wrong and what to do';
COMMENT ON COLUMN @extschema@.signal_health.healthy IS 'true when nothing here needs a person: states running, starting and standby';
COMMENT ON COLUMN @extschema@.signal_health.state IS 'running, starting, failing, blocked, stalled, stopped, paused, disabled, version_mismatch, not_preloaded or standby';
COMMENT ON COLUMN @extschema@.signal_health.message IS 'the state in words, with the remedy';
COMMENT ON COLUMN @extschema@.signal_health.worker_pid IS 'process of this database''s worker; null when none runs';
COMMENT ON COLUMN @extschema@.signal_health.started_at IS 'when the worker started';
COMMENT ON COLUMN @extschema@.signal_health.uptime IS 'age of the worker, whole seconds';
COMMENT ON COLUMN @extschema@.signal_health.last_heartbeat IS 'the worker''s last sign of life, at least every 5 seconds, from shared memory';
COMMENT ON COLUMN @extschema@.signal_health.heartbeat_age IS 'time since then; more than 15 seconds is stalled';
COMMENT ON COLUMN @extschema@.signal_health.restarts IS 'times a dead worker was started again; a crash that resets the whole server counts once and forgets the others';
COMMENT ON COLUMN @extschema@.signal_health.last_run IS 'start of the last run, by worker or by hand';
COMMENT ON COLUMN @extschema@.signal_health.last_success IS 'start of the last run that was ok';
COMMENT ON COLUMN @extschema@.signal_health.consecutive_failures IS 'failed runs since then';
COMMENT ON COLUMN @extschema@.signal_health.next_run IS 'when the worker runs next';
COMMENT ON COLUMN @extschema@.signal_health.last_error IS 'the last error on record, also when runs have been ok since';
COMMENT ON COLUMN @extschema@.signal_health.last_error_at IS 'start of the run it belongs to';
COMMENT ON COLUMN @extschema@.signal_health.signals_24h IS 'signals generated in the last 24 hours';
COMMENT ON COLUMN @extschema@.signal_health.deliveries_24h IS 'rows of user_signals written for them';
COMMENT ON COLUMN @extschema@.signal_health.undelivered_signals IS 'signals whose fan-out is not complete';

CREATE VIEW @extschema@.signal_stats AS
SELECT (s.created_at AT TIME ZONE 'UTC')::date AS day,
       s.symbol,
       count(*) AS signals,
       count(*) FILTER (WHERE s.signal_type = 'LONG') AS long_signals,
       count(*) FILTER (WHERE s.signal_type = 'SHORT') AS short_signals,
       sum(s.deliveries)::bigint AS deliveries,
       sum(s.delivery_failures)::bigint AS delivery_failures,
       round(avg(s.confidence), 2) AS avg_confidence,
       round(avg(s.quality_score), 2) AS avg_quality,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.fetch_ms) AS fetch_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY r.fetch_ms) AS fetch_ms_p99,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.judge_ms) AS judge_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY r.judge_ms) AS judge_ms_p99,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.record_ms) AS record_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY r.record_ms) AS record_ms_p99,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.deliver_ms) AS deliver_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY r.deliver_ms) AS deliver_ms_p99
  FROM @extschema@.signals s
  LEFT JOIN @extschema@.signal_runs r USING (run_id)
 GROUP BY 1, 2;
COMMENT ON VIEW @extschema@.signal_stats IS 'signals per UTC day and symbol, with the time the runs behind them took';
COMMENT ON COLUMN @extschema@.signal_stats.day IS 'UTC day';
COMMENT ON COLUMN @extschema@.signal_stats.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_stats.signals IS 'signals generated';
COMMENT ON COLUMN @extschema@.signal_stats.long_signals IS 'of these LONG';
COMMENT ON COLUMN @extschema@.signal_stats.short_signals IS 'of these SHORT';
COMMENT ON COLUMN @extschema@.signal_stats.deliveries IS 'rows of user_signals written for them';
COMMENT ON COLUMN @extschema@.signal_stats.delivery_failures IS 'subscribers whose row was refused';
COMMENT ON COLUMN @extschema@.signal_stats.avg_confidence IS 'mean confidence, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_stats.avg_quality IS 'mean quality score, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_stats.fetch_ms_p50 IS 'median milliseconds waiting for the exchange; null once the runs are purged';
COMMENT ON COLUMN @extschema@.signal_stats.fetch_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.judge_ms_p50 IS 'median milliseconds deciding';
COMMENT ON COLUMN @extschema@.signal_stats.judge_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.record_ms_p50 IS 'median milliseconds recording';
COMMENT ON COLUMN @extschema@.signal_stats.record_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.deliver_ms_p50 IS 'median milliseconds delivering';
COMMENT ON COLUMN @extschema@.signal_stats.deliver_ms_p99 IS '99th percentile of the same';
-- Who may do what. PUBLIC gets what row-level security makes safe, and that is
-- nothing until an administrator grants the tables to the roles of the clients.

-- Subscribers see and touch their own rows only. The owner, as whom the worker
-- writes, is not bound by these.
ALTER TABLE @extschema@.user_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE @extschema@.user_signals ENABLE ROW LEVEL SECURITY;
ALTER TABLE @extschema@.user_signal_quotas ENABLE ROW LEVEL SECURITY;
-- The subselects are evaluated once per statement, not once per row.
CREATE POLICY own_rows ON @extschema@.user_subscriptions FOR SELECT USING (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows ON @extschema@.user_signals FOR SELECT USING (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows_marked ON @extschema@.user_signals FOR UPDATE
    USING (user_id = (SELECT @extschema@.current_subscriber())) WITH CHECK (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows ON @extschema@.user_signal_quotas FOR SELECT USING (user_id = (SELECT @extschema@.current_subscriber()));

-- A function that reaches out of the server is a door: closed to PUBLIC.
REVOKE ALL ON FUNCTION @extschema@.generate_signals_now() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.preview_signals() FROM PUBLIC;
-- These decide whether signals flow.
REVOKE ALL ON FUNCTION @extschema@.pause_signals(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.resume_signals() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.start_signal_worker() FROM PUBLIC;
-- Process ids and times of the server's processes.
REVOKE ALL ON FUNCTION @extschema@.signal_worker_status() FROM PUBLIC;
-- Trigger functions are called by their triggers only.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_set_updated_at() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_replace_shipped_row() FROM PUBLIC;
-- current_subscriber() stays with PUBLIC: policies call it as the client, and it
-- tells a session only what its own claims say.

-- Health and history carry nothing of subscribers but the id of one whose row
-- was refused.
GRANT SELECT ON @extschema@.signal_health, @extschema@.signal_stats, @extschema@.signal_runs, @extschema@.signal_symbols,
    @extschema@.signal_rules, @extschema@.signal_tiers, @extschema@.signal_pause TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_worker_status() TO pg_monitor;

-- Last: the worker starts when CREATE EXTENSION commits.
SELECT @extschema@.start_signal_worker();
